use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::Scope;

/// Returns the scope that a query names, such as that of a WebSocket: `model` at OpenAI
/// (<https://platform.openai.com/docs/guides/realtime-websocket>), `deployment` at Azure
/// (<https://learn.microsoft.com/azure/ai-services/openai/how-to/realtime-audio-websockets>).
pub(super) fn scope_of_query(query: &str) -> Option<Scope> {
    let (parameter, name) = model_parameters(query).next()?;
    Some(match parameter {
        Parameter::Model => Scope::of_model(name.as_bytes()),
        Parameter::Deployment => Scope::of_deployment(name.as_bytes()),
    })
}

/// Returns all models and deployments that a query names. Backends differ in which of several they use.
pub fn models(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    model_parameters(query).map(|(_, name)| name)
}

enum Parameter {
    Model,
    Deployment,
}

fn model_parameters(query: &str) -> impl Iterator<Item = (Parameter, Cow<'_, str>)> {
    query.split('&').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let parameter = match &*Cow::from(percent_decode_str(name)) {
            b"model" => Parameter::Model,
            b"deployment" => Parameter::Deployment,
            _ => return None,
        };
        let value = percent_decode_str(value).decode_utf8().ok()?;
        (!value.is_empty()).then_some((parameter, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_or_deployment_in_the_query_is_the_scope() {
        let gpt = Scope::named("gpt-4o");
        assert_eq!(scope_of_query("model=gpt-4o"), Some(gpt));
        assert_eq!(scope_of_query("api-version=1&model=gpt%2D4o&x"), Some(gpt));
        assert_eq!(scope_of_query("model=&x=1&model=gpt-4o"), Some(gpt));
        assert_eq!(scope_of_query("%6dodel=gpt-4o"), Some(gpt));
        let deployment = Scope::of_path("/openai/deployments/gpt-4o/chat/completions");
        assert_eq!(
            scope_of_query("api-version=1&deployment=gpt-4o"),
            deployment
        );
    }

    #[test]
    fn query_without_a_model_has_no_scope() {
        for query in ["", "model", "models=a", "x=model", "model=%ff", "&&"] {
            assert_eq!(scope_of_query(query), None, "{query}");
        }
    }
}

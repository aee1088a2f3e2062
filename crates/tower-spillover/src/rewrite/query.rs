/// The query as the backend wants it, with its question mark; empty where nothing is left of it. `None` when it may stay as it
/// is, as most do.
pub(super) fn rewrite(
    query: &str,
    deployment: Option<&str>,
    has_credential: bool,
) -> Option<String> {
    let is_other = |parameter: &str| {
        is_credential(parameter) && has_credential
            || is_deployment(parameter) && deployment.is_some()
    };
    if !query.split('&').any(is_other) {
        return None;
    }
    let mut rewritten = String::with_capacity(query.len() + 1);
    for parameter in query.split('&') {
        if has_credential && is_credential(parameter) {
            continue;
        }
        rewritten.push(if rewritten.is_empty() { '?' } else { '&' });
        match deployment {
            Some(new) if is_deployment(parameter) => {
                rewritten.push_str("deployment=");
                rewritten.push_str(new);
            }
            _ => rewritten.push_str(parameter),
        }
    }
    Some(rewritten)
}

fn is_credential(parameter: &str) -> bool {
    let name = name_of(parameter);
    CREDENTIALS
        .iter()
        .any(|credential| credential.eq_ignore_ascii_case(name))
}

fn is_deployment(parameter: &str) -> bool {
    name_of(parameter) == "deployment"
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or(parameter)
}

/// Where clients that cannot set fields put their keys:
/// [Azure OpenAI](https://learn.microsoft.com/azure/ai-services/openai/how-to/realtime-audio-websockets#authentication),
/// [API Management](https://learn.microsoft.com/azure/api-management/api-management-subscriptions),
/// [Google](https://cloud.google.com/docs/authentication/api-keys-use).
const CREDENTIALS: [&str; 3] = ["api-key", "subscription-key", "key"];

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(query: &str) -> Option<String> {
        rewrite(query, Some("new"), true)
    }

    #[test]
    fn most_stay_as_they_are() {
        for query in [
            "",
            "&&",
            "api-version=2024-10-21",
            "q=api-key&x=key",
            "my-api-key=1&api-keys=2&monkey=3",
            "deployments=d&my-deployment=d",
        ] {
            assert_eq!(rewritten(query), None, "{query}");
        }
        assert_eq!(rewrite("deployment=old&api-key=k", None, false), None);
    }

    #[test]
    fn keys_are_taken_out_and_the_rest_stays_in_order() {
        for (query, expected) in [
            ("api-key=k", ""),
            ("API-Key=k&x=1", "?x=1"),
            ("x=1&api-key=k&&y=%20", "?x=1&&y=%20"),
            ("api-key=k&api-key=&api-key", ""),
            ("x=1&subscription-key=k", "?x=1"),
            ("key=k&alt=sse", "?alt=sse"),
        ] {
            assert_eq!(rewritten(query).as_deref(), Some(expected), "{query}");
        }
    }

    #[test]
    fn the_deployment_becomes_the_backends() {
        assert_eq!(
            rewritten("api-version=1&deployment=old&api-key=k&x=2").as_deref(),
            Some("?api-version=1&deployment=new&x=2")
        );
        assert_eq!(
            rewrite("deployment=old&api-key=k", Some("new"), false).as_deref(),
            Some("?deployment=new&api-key=k")
        );
    }
}

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The changes to a query.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Edit<'a> {
    /// In place of the deployment that it names.
    pub(super) deployment: Option<&'a str>,
    /// In place of the model that it names, which a deployment of Azure's API becomes at OpenAI.
    pub(super) model: Option<&'a str>,
    pub(super) removes_credentials: bool,
    /// A query of Azure's API becomes one of OpenAI's, which has no `api-version` and calls a deployment `model`.
    pub(super) is_from_azure: bool,
}

impl<'a> Edit<'a> {
    /// Returns the query for the backend, with its question mark. Empty when nothing is left of the query. `None` when it
    /// can stay as it is, as most do.
    pub(super) fn apply(self, query: &str) -> Option<String> {
        let mut parameters = query.split('&');
        if !parameters
            .any(|parameter| self.is_removed(parameter) || self.changed(parameter).is_some())
        {
            return None;
        }
        let mut rewritten = String::with_capacity(query.len() + 1);
        for parameter in query.split('&') {
            if self.is_removed(parameter) {
                continue;
            }
            rewritten.push(if rewritten.is_empty() { '?' } else { '&' });
            match self.changed(parameter) {
                Some((name, value)) => {
                    rewritten.push_str(name);
                    rewritten.push('=');
                    match value {
                        Some(new) => rewritten.extend(utf8_percent_encode(new, RESERVED)),
                        None => rewritten.push_str(value_of(parameter)),
                    }
                }
                None => rewritten.push_str(parameter),
            }
        }
        Some(rewritten)
    }

    fn is_removed(self, parameter: &str) -> bool {
        self.removes_credentials && is_credential(parameter)
            || self.is_from_azure && name_of(parameter) == API_VERSION
    }

    /// Returns the new name of a parameter that changes, and its new value if that changes too.
    fn changed(self, parameter: &str) -> Option<(&'static str, Option<&'a str>)> {
        if is_named(parameter, DEPLOYMENT) {
            return match self.is_from_azure {
                true => Some((MODEL, self.model)),
                false => self.deployment.map(|new| (DEPLOYMENT, Some(new))),
            };
        }
        let new = self.model.filter(|_| is_named(parameter, MODEL))?;
        Some((MODEL, Some(new)))
    }
}

fn is_credential(parameter: &str) -> bool {
    let name = name_of(parameter);
    CREDENTIALS
        .iter()
        .any(|credential| credential.eq_ignore_ascii_case(name))
}

/// Returns true for this name, also where it is spelled with escapes.
fn is_named(parameter: &str, expected: &str) -> bool {
    let name = name_of(parameter);
    name == expected || name.contains('%') && percent_decode_str(name).eq(expected.bytes())
}

fn value_of(parameter: &str) -> &str {
    parameter.split_once('=').map_or("", |(_, value)| value)
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or(parameter)
}

/// Where clients that cannot set fields put their keys:
/// [Azure OpenAI](https://learn.microsoft.com/azure/ai-services/openai/how-to/realtime-audio-websockets#authentication),
/// [API Management](https://learn.microsoft.com/azure/api-management/api-management-subscriptions),
/// [Google](https://cloud.google.com/docs/authentication/api-keys-use).
const CREDENTIALS: [&str; 3] = ["api-key", "subscription-key", "key"];

/// All but the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const API_VERSION: &str = "api-version";
const DEPLOYMENT: &str = "deployment";
const MODEL: &str = "model";

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(deployment: Option<&str>, removes_credentials: bool) -> Edit<'_> {
        Edit {
            deployment,
            removes_credentials,
            ..Edit::default()
        }
    }

    fn rewritten(query: &str) -> Option<String> {
        edit(Some("new"), true).apply(query)
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
        assert_eq!(edit(None, false).apply("deployment=old&api-key=k"), None);
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
    fn deployment_becomes_the_backends() {
        assert_eq!(
            rewritten("api-version=1&deployment=old&api-key=k&x=2").as_deref(),
            Some("?api-version=1&deployment=new&x=2")
        );
        assert_eq!(
            edit(Some("new"), false)
                .apply("deployment=old&api-key=k")
                .as_deref(),
            Some("?deployment=new&api-key=k")
        );
    }

    #[test]
    fn model_becomes_the_backends() {
        let edit = Edit {
            deployment: Some("new"),
            model: Some("a model/é"),
            ..Edit::default()
        };
        for (query, expected) in [
            ("model=old", Some("?model=a%20model%2F%C3%A9")),
            (
                "x=1&model=old&model&%6Dodel=b",
                Some(
                    "?x=1&model=a%20model%2F%C3%A9&model=a%20model%2F%C3%A9&model=a%20model%2F%C3%A9",
                ),
            ),
            (
                "deployment=old&model=old",
                Some("?deployment=new&model=a%20model%2F%C3%A9"),
            ),
            ("deploymen%74=old", Some("?deployment=new")),
            ("models=a&x=model&Model=a", None),
        ] {
            assert_eq!(edit.apply(query).as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn query_of_azure_becomes_one_of_openai() {
        for (query, deployment, expected) in [
            ("api-version=2024-10-21", None, Some("")),
            ("a=1&api-version=x&b=2", None, Some("?a=1&b=2")),
            ("api-version=x&deployment=old", None, Some("?model=old")),
            ("deployment=old&x", Some("new"), Some("?model=new&x")),
            ("deployment", None, Some("?model=")),
            ("q=api-version&api-versions=1", None, None),
        ] {
            let edit = Edit {
                is_from_azure: true,
                model: deployment,
                ..edit(deployment, false)
            };
            assert_eq!(edit.apply(query).as_deref(), expected, "{query}");
        }
    }
}

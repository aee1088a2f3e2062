use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::route::{Route, of_both, operation};
use crate::limit::{Dimension, Refused};

/// The service that a [`MockUpstream`](super::MockUpstream) mocks. Other services' paths answer 404.
///
/// | provider | paths | error of another path |
/// |---|---|---|
/// | `Azure` | `/openai/v1/OPERATION`, `/openai/deployments/NAME/OPERATION?api-version=...`, `/openai/models?api-version=...` | `{"error": {"code": "404", "message": "Resource not found"}}` |
/// | `OpenAi` | `/v1/OPERATION` | `{"error": {"message": "Invalid URL (POST /x)", "type": "invalid_request_error", ...}}` |
///
/// Sources: [Azure's dated API](https://learn.microsoft.com/azure/ai-services/openai/reference), [its v1
/// API](https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle), [OpenAI's
/// API](https://platform.openai.com/docs/api-reference).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Provider {
    /// Azure OpenAI. A key is in `api-key`, a token in `authorization`.
    Azure,
    /// OpenAI. A key is in `authorization`.
    OpenAi,
}

impl Provider {
    pub(super) fn route<'a>(
        provider: Option<Self>,
        method: &Method,
        uri: &'a Uri,
    ) -> Option<Route<'a>> {
        let path = uri.path();
        match provider {
            None => of_both(method, uri),
            Some(Self::OpenAi) => operation(method, path.strip_prefix("/v1")?, None),
            Some(Self::Azure) => match path.strip_prefix("/openai/v1") {
                Some(rest) => operation(method, rest, None),
                None => Route::dated(method, uri),
            },
        }
    }

    /// Returns true if the request has this key in a field that the provider reads.
    pub(super) fn has_key(provider: Option<Self>, headers: &HeaderMap, key: &str) -> bool {
        let bearer = |value: &HeaderValue| {
            let token = value
                .to_str()
                .ok()
                .and_then(|value| value.strip_prefix("Bearer "));
            token == Some(key)
        };
        let has_field = headers.get("api-key").is_some_and(|value| value == key);
        has_field && provider != Some(Self::OpenAi)
            || headers.get(AUTHORIZATION).is_some_and(bearer)
    }

    /// Returns the body of an error in the provider's format. Default: Azure's.
    pub(super) fn error(provider: Option<Self>, status: StatusCode, message: &str) -> Value {
        match provider {
            None | Some(Self::Azure) => {
                json!({"error": {"code": status.as_str(), "message": message}})
            }
            Some(Self::OpenAi) => {
                let code = match status {
                    StatusCode::TOO_MANY_REQUESTS => json!("rate_limit_exceeded"),
                    StatusCode::UNAUTHORIZED => json!("invalid_api_key"),
                    _ => Value::Null,
                };
                let error = json!({
                    "message": message, "type": "invalid_request_error", "param": null, "code": code,
                });
                json!({ "error": error })
            }
        }
    }

    pub(super) fn unauthorized(provider: Option<Self>) -> &'static str {
        match provider {
            None | Some(Self::Azure) => {
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to \
                 provide a valid key for an active subscription and use a correct regional API \
                 endpoint for your resource."
            }
            Some(Self::OpenAi) => "Incorrect API key provided.",
        }
    }

    pub(super) fn not_found(provider: Option<Self>, method: &Method, uri: &Uri) -> String {
        match provider {
            None | Some(Self::Azure) => "Resource not found".to_owned(),
            Some(Self::OpenAi) => format!("Invalid URL ({method} {})", uri.path()),
        }
    }

    pub(super) fn throttled(provider: Option<Self>, refused: &Refused) -> String {
        let seconds = refused.seconds();
        match provider {
            None | Some(Self::Azure) => {
                let limit = match refused.dimension {
                    Dimension::Tokens => "token rate limit",
                    Dimension::Requests => "call rate limit",
                    Dimension::Capacity => "provisioned throughput",
                };
                format!(
                    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have \
                     exceeded the {limit} of your current pricing tier. Please retry after \
                     {seconds} seconds."
                )
            }
            Some(Self::OpenAi) => {
                let limit = match refused.dimension {
                    Dimension::Tokens => "tokens per min (TPM)",
                    Dimension::Requests => "requests per min (RPM)",
                    Dimension::Capacity => "capacity",
                };
                format!("Rate limit reached on {limit}. Please try again in {seconds}s.")
            }
        }
    }

    /// Returns true if no model is named and the API requires one: the v1 API has it in the body only.
    pub(super) fn lacks_model(provider: Option<Self>, route: &Route<'_>, body: &Bytes) -> bool {
        provider.is_some()
            && match route {
                Route::Chat { deployment: None } => {
                    let body: Option<Value> = serde_json::from_slice(body).ok();
                    !body.is_some_and(|body| body["model"].is_string())
                }
                Route::Transcription { deployment: None } => {
                    let name: &[u8] = br#"name="model""#;
                    !body.windows(name.len()).any(|part| part == name)
                }
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AZURE: Option<Provider> = Some(Provider::Azure);
    const OPENAI: Option<Provider> = Some(Provider::OpenAi);

    fn route(provider: Option<Provider>, method: &Method, uri: &str) -> Option<String> {
        let uri = uri.parse().unwrap();
        let route = Provider::route(provider, method, &uri)?;
        Some(match route {
            Route::Chat { deployment } => format!("chat {}", deployment.unwrap_or_default()),
            Route::Transcription { .. } => "transcription".to_owned(),
            Route::Models => "models".to_owned(),
        })
    }

    #[test]
    fn each_provider_has_its_own_paths_only() {
        let post = |uri| [AZURE, OPENAI].map(|provider| route(provider, &Method::POST, uri));
        let azure = |route: &str| [Some(route.to_owned()), None];
        let openai = |route: &str| [None, Some(route.to_owned())];
        for (uri, expected) in [
            ("/openai/v1/chat/completions", azure("chat ")),
            ("/openai/v1/audio/transcriptions", azure("transcription")),
            (
                "/openai/deployments/gpt-4o/chat/completions?a=b&api-version=1",
                azure("chat gpt-4o"),
            ),
            ("/openai/deployments/gpt-4o/chat/completions", [None, None]),
            (
                "/openai/deployments/chat/completions?api-version=1",
                [None, None],
            ),
            (
                "/openai/deployments//chat/completions?api-version=1",
                [None, None],
            ),
            ("/openai/chat/completions?api-version=1", [None, None]),
            ("/v1/chat/completions?x=1", openai("chat ")),
            ("/v1/audio/transcriptions", openai("transcription")),
            ("/openai/v1/v1/chat/completions", [None, None]),
            ("/v1/v1/chat/completions", [None, None]),
            ("/v1/openai/v1/chat/completions", [None, None]),
            ("/chat/completions", [None, None]),
            ("/v1/models", [None, None]),
            ("/", [None, None]),
        ] {
            assert_eq!(post(uri), expected, "{uri}");
        }
        let get = |uri| [AZURE, OPENAI].map(|provider| route(provider, &Method::GET, uri));
        assert_eq!(get("/v1/models"), openai("models"));
        assert_eq!(get("/openai/v1/models"), azure("models"));
        assert_eq!(get("/openai/models?api-version=1"), azure("models"));
        assert_eq!(get("/openai/models"), [None, None]);
        assert_eq!(get("/v1/chat/completions"), [None, None]);
    }

    #[test]
    fn mock_of_no_provider_has_the_paths_of_all() {
        for (method, uri) in [
            (Method::POST, "/v1/chat/completions"),
            (Method::POST, "/openai/v1/chat/completions"),
            (Method::POST, "/chat/completions?x=1"),
            (
                Method::POST,
                "/openai/deployments/d/chat/completions?api-version=1",
            ),
            (Method::GET, "/v1/models"),
            (Method::GET, "/openai/models"),
        ] {
            assert!(route(None, &method, uri).is_some(), "{uri}");
        }
        let uri = "/openai/deployments/d/chat/completions";
        assert_eq!(route(None, &Method::POST, uri), None);
    }
}

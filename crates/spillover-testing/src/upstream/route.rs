use http::{Method, Uri};

/// The operation that a request's path names.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Route<'a> {
    Chat { deployment: Option<&'a str> },
    Transcription { deployment: Option<&'a str> },
    Models,
}

impl<'a> Route<'a> {
    /// Returns the route of a path of Azure's dated API.
    pub(super) fn dated(method: &Method, uri: &'a Uri) -> Option<Self> {
        let mut params = uri.query()?.split('&');
        // Azure answers 404 as well when the version is missing.
        params.find(|param| param.starts_with("api-version="))?;
        let path = uri.path();
        match path.strip_prefix("/openai/deployments/") {
            Some(rest) => {
                let (deployment, rest) = rest.split_at(rest.find('/')?);
                let has_deployments = rest != "/models" && !deployment.is_empty();
                has_deployments.then(|| operation(method, rest, Some(deployment)))?
            }
            None if path == "/openai/models" => operation(method, "/models", None),
            None => None,
        }
    }
}

/// Returns the route for the path after the API's root, or after the deployment.
pub(super) fn operation<'a>(
    method: &Method,
    path: &str,
    deployment: Option<&'a str>,
) -> Option<Route<'a>> {
    match (method, path) {
        (&Method::POST, "/chat/completions") => Some(Route::Chat { deployment }),
        (&Method::POST, "/audio/transcriptions") => Some(Route::Transcription { deployment }),
        (&Method::GET | &Method::HEAD, "/models") => Some(Route::Models),
        _ => None,
    }
}

/// Returns the route at a mock without a provider: the paths of both, and those without a root.
pub(super) fn of_both<'a>(method: &Method, uri: &'a Uri) -> Option<Route<'a>> {
    let path = uri.path();
    let rest = ["/openai/v1", "/v1", ""]
        .iter()
        .find_map(|root| operation(method, path.strip_prefix(root)?, None));
    match rest {
        Some(route) => Some(route),
        None if path == "/openai/models" => operation(method, "/models", None),
        None => Route::dated(method, uri),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::provider::Provider, *};

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

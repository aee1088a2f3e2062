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

use http::{Method, Uri};

/// What a request asks for.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Route<'a> {
    Chat { deployment: Option<&'a str> },
    Models,
}

impl<'a> Route<'a> {
    pub(super) fn of(method: &Method, uri: &'a Uri) -> Option<Self> {
        match (method, uri.path()) {
            (&Method::POST, "/v1/chat/completions" | "/chat/completions") => {
                Some(Self::Chat { deployment: None })
            }
            (&Method::GET, "/v1/models" | "/models" | "/openai/models") => Some(Self::Models),
            (&Method::POST, path) => {
                let rest = path.strip_prefix("/openai/deployments/")?;
                let deployment = rest.strip_suffix("/chat/completions")?;
                let mut params = uri.query()?.split('&');
                // Azure knows no such resource either when the version is missing.
                let versioned = params.any(|param| param.starts_with("api-version="));
                let named = !deployment.is_empty() && !deployment.contains('/');
                (versioned && named).then_some(Self::Chat {
                    deployment: Some(deployment),
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        let chat = |deployment| Some(Route::Chat { deployment });
        for (method, uri, route) in [
            (Method::POST, "/v1/chat/completions", chat(None)),
            (Method::POST, "/chat/completions?x=1", chat(None)),
            (Method::GET, "/v1/chat/completions", None),
            (Method::GET, "/v1/models", Some(Route::Models)),
            (
                Method::GET,
                "/openai/models?api-version=1",
                Some(Route::Models),
            ),
            (
                Method::POST,
                "/openai/deployments/gpt-4o/chat/completions?a=b&api-version=2024-06-01",
                chat(Some("gpt-4o")),
            ),
            (
                Method::POST,
                "/openai/deployments/gpt-4o/chat/completions",
                None,
            ),
            (
                Method::POST,
                "/openai/deployments/chat/completions?api-version=1",
                None,
            ),
            (
                Method::POST,
                "/openai/deployments//chat/completions?api-version=1",
                None,
            ),
            (Method::POST, "/", None),
        ] {
            assert_eq!(Route::of(&method, &uri.parse().unwrap()), route, "{uri}");
        }
    }
}

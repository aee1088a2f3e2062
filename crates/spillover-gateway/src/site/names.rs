use http::{HeaderName, HeaderValue, Response};
use spillover_core::{Backend, Selected};

use crate::{rules::HeaderRules, site::PoolConfig};

/// Response fields that name the backend and the pool. Built once and shared by all responses.
#[derive(Debug)]
pub(crate) struct Names {
    of_backends: Vec<Name>,
    rules: HeaderRules,
}

#[derive(Debug)]
struct Name {
    label: Option<HeaderValue>,
    url: Option<HeaderValue>,
    rules: HeaderRules,
}

impl Names {
    pub(crate) fn new(config: &PoolConfig) -> Self {
        let url = |backend: &Backend| HeaderValue::from_str(backend.url()).ok();
        let of_backends = config.backends.iter().map(|config_of_backend| Name {
            label: HeaderValue::from_str(config_of_backend.backend.label()).ok(),
            url: url(&config_of_backend.backend).filter(|_| config.expose_backend_url),
            rules: config_of_backend.response_headers.clone(),
        });
        Self {
            of_backends: of_backends.collect(),
            rules: config.response_headers.clone(),
        }
    }

    /// Adds the fields to a response of this pool.
    pub(crate) fn add<B>(&self, mut response: Response<B>) -> Response<B> {
        let selected = response.extensions().get::<Selected>();
        let name = selected.and_then(|selected| self.of_backends.get(selected.index()));
        let headers = response.headers_mut();
        if let Some(name) = name {
            name.rules.apply(headers);
            for (field, value) in [
                (X_SPILLOVER_BACKEND, &name.label),
                (X_OPENAI_BACKENDURL, &name.url),
            ] {
                if let Some(value) = value {
                    headers.insert(field, value.clone());
                }
            }
        }
        self.rules.apply(headers);
        response
    }
}

const X_SPILLOVER_BACKEND: HeaderName = HeaderName::from_static("x-spillover-backend");
const X_OPENAI_BACKENDURL: HeaderName = HeaderName::from_static("x-openai-backendurl");

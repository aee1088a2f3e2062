use http::{HeaderName, HeaderValue, Response};
use spillover_core::{Backend, Selected};

use crate::HeaderRules;

/// Fields that responses of one backend get: its label, its URL if wanted, and fields of your own.
#[derive(Clone, Debug)]
#[must_use]
pub struct BackendFields {
    label: Option<HeaderValue>,
    url: Option<HeaderValue>,
    rules: HeaderRules,
}

impl BackendFields {
    /// Creates fields that name the backend in `x-spillover-backend`.
    pub fn new(backend: &Backend) -> Self {
        Self {
            label: HeaderValue::from_str(backend.label()).ok(),
            url: None,
            rules: HeaderRules::default(),
        }
    }

    /// Names the URL of the backend in `x-openai-backendurl`.
    pub fn expose_url(self, backend: &Backend) -> Self {
        Self {
            url: HeaderValue::from_str(backend.url()).ok(),
            ..self
        }
    }

    /// Sets and removes fields of this backend's responses.
    pub fn rules(self, rules: HeaderRules) -> Self {
        Self { rules, ..self }
    }
}

/// Fields of all responses, built once.
#[derive(Debug)]
pub(super) struct Fields {
    /// Fields by the index of the backend.
    pub(super) of_backends: Vec<BackendFields>,
    pub(super) rules: HeaderRules,
}

impl Fields {
    /// Adds the fields to a response. Rules of all backends come last.
    pub(super) fn add<B>(&self, mut response: Response<B>) -> Response<B> {
        let selected = response.extensions().get::<Selected>();
        let fields = selected.and_then(|selected| self.of_backends.get(selected.index()));
        let headers = response.headers_mut();
        if let Some(fields) = fields {
            fields.rules.apply(headers);
            for (name, value) in [
                (X_SPILLOVER_BACKEND, &fields.label),
                (X_OPENAI_BACKENDURL, &fields.url),
            ] {
                if let Some(value) = value {
                    headers.insert(name, value.clone());
                }
            }
        }
        self.rules.apply(headers);
        response
    }
}

const X_SPILLOVER_BACKEND: HeaderName = HeaderName::from_static("x-spillover-backend");
const X_OPENAI_BACKENDURL: HeaderName = HeaderName::from_static("x-openai-backendurl");

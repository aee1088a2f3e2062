use axum::body::Body;
use http::{HeaderMap, Response, StatusCode};
use tower_spillover::{Exhausted, Outcome, Selected, Tried};

/// What a client gets, and what the layers left in its extensions.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The label of the backend that answered; `None` for a local answer.
    pub backend: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Whether and how the last attempt was classified.
    pub outcome: Option<Outcome>,
    /// Whether no backend was left.
    pub exhausted: Option<Exhausted>,
}

impl Answer {
    pub(crate) fn new(response: &Response<Body>) -> Self {
        let extensions = response.extensions();
        let backend = |selected: &Selected| selected.backend().label().to_owned();
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            backend: extensions.get().map(backend),
            attempts: extensions.get().map_or(0, Tried::attempts),
            outcome: extensions.get().cloned(),
            exhausted: extensions.get().cloned(),
        }
    }

    /// Status, label of the backend and number of attempts: what most scenarios are about.
    #[must_use]
    pub fn summary(&self) -> (u16, &str, u32) {
        let backend = self.backend.as_deref().unwrap_or("none");
        (self.status.as_u16(), backend, self.attempts)
    }

    /// `retry-after` and `retry-after-ms`.
    #[must_use]
    pub fn comes_back_after(&self) -> [Option<&str>; 2] {
        ["retry-after", "retry-after-ms"].map(|name| self.headers.get(name)?.to_str().ok())
    }
}

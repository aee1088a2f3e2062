use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use tower_spillover::{Attempts, Exhausted, Outcome, Selected};

/// The response that a client gets, with the extensions of the layers.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The data of the body, up to an error.
    pub body: Bytes,
    /// The label of the backend that answered; `None` for a local answer.
    pub backend: Option<String>,
    /// The number of attempts.
    pub attempts: u32,
    /// The classification of the last attempt, if there was one.
    pub outcome: Option<Outcome>,
    /// Set if no backend was left.
    pub exhausted: Option<Exhausted>,
}

impl Answer {
    /// Reads the whole response.
    pub(super) async fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let extensions = &head.extensions;
        let backend = |selected: &Selected| selected.backend().label().to_owned();
        Self {
            status: head.status,
            backend: extensions.get().map(backend),
            attempts: extensions.get().map_or(1, Attempts::count),
            outcome: extensions.get().cloned(),
            exhausted: extensions.get().cloned(),
            headers: head.headers,
            body: read(body).await,
        }
    }

    /// Returns status, label of the backend and number of attempts, which most scenarios check.
    #[must_use]
    pub fn summary(&self) -> (u16, &str, u32) {
        let backend = self.backend.as_deref().unwrap_or("none");
        (self.status.as_u16(), backend, self.attempts)
    }

    /// Returns `retry-after` and `retry-after-ms`.
    #[must_use]
    pub fn comes_back_after(&self) -> [Option<&str>; 2] {
        ["retry-after", "retry-after-ms"].map(|name| self.headers.get(name)?.to_str().ok())
    }
}

async fn read(mut body: Body) -> Bytes {
    let mut read = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
    }
    read.freeze()
}

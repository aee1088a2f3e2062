use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use tower_spillover::{Attempts, Exhausted, Outcome, Selected};

/// What a client gets, and what the layers left in its extensions.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The data of the body, as far as it came.
    pub body: Bytes,
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

async fn read(mut body: Body) -> Bytes {
    let mut read = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
    }
    read.freeze()
}

use axum::body::Body;
use http::{Method, Request, Response, StatusCode, Uri};
use tokio::time::Instant;
use tower_spillover::{Selected, Tried};

/// What is known of a request so far. Dropped, it becomes a line of the log.
#[derive(Debug)]
pub(super) struct Record {
    method: Method,
    uri: Uri,
    begun: Instant,
    status: Option<StatusCode>,
    selected: Option<Selected>,
    attempts: u32,
    bytes: u64,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Complete,
    /// The backend broke the response off.
    Broken,
    /// The client went away, or the gateway stopped.
    Cancelled,
}

impl Record {
    pub(super) fn begin(request: &Request<Body>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            begun: Instant::now(),
            status: None,
            selected: None,
            attempts: 0,
            bytes: 0,
            end: End::Cancelled,
        }
    }

    pub(super) fn answered(&mut self, response: &Response<Body>) {
        let extensions = response.extensions();
        self.status = Some(response.status());
        self.selected = extensions.get::<Selected>().cloned();
        self.attempts = extensions.get::<Tried>().map_or(0, Tried::attempts);
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn complete(&mut self) {
        self.end = End::Complete;
    }

    pub(super) fn broken(&mut self) {
        self.end = End::Broken;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let now = Instant::now();
        tracing::info!(
            method = %self.method,
            // Without the query, which can hold a key.
            path = self.uri.path(),
            status = self.status.map(|status| status.as_u16()),
            backend = self.selected.as_ref().map(|s| s.backend().label()),
            attempts = self.attempts,
            spill = self.selected.as_ref().is_some_and(Selected::is_spill),
            // A number also in JSON, where what `as_millis` returns would be text.
            duration_ms = (now - self.begun).as_millis() as u64,
            bytes = self.bytes,
            end = match self.end {
                End::Complete => "complete",
                End::Broken => "broken",
                End::Cancelled => "cancelled",
            },
            "request"
        );
    }
}

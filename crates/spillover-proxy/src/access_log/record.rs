use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tokio::time::Instant;

use super::Certificate;
use crate::{Progress, X_REQUEST_ID, progress::Arrival};

/// A log line in the making, which is written when the record is dropped.
#[derive(Debug)]
pub(super) struct Record {
    /// Shared with the layers inside. Has the large fields, since the record is moved with the request and its response.
    progress: Progress,
    upstream_request_id: Option<HeaderValue>,
    status: Option<StatusCode>,
    bytes: u64,
    end: End,
}

/// End of a response.
#[derive(Clone, Copy, Debug)]
enum End {
    Complete,
    /// The backend broke the response off.
    Broken,
    /// The client went away, or the server stopped.
    Cancelled,
}

impl Record {
    pub(super) fn start<B>(request: &mut Request<B>, certificate: Option<Certificate>) -> Self {
        let progress = Progress::begin(Arrival {
            method: request.method().clone(),
            uri: request.uri().clone(),
            certificate: certificate.and_then(|get| get(request.extensions())),
            request_id: request.headers().get(X_REQUEST_ID).cloned(),
            start: Instant::now(),
        });
        request.extensions_mut().insert(progress.clone());
        Self {
            progress,
            upstream_request_id: None,
            status: None,
            bytes: 0,
            end: End::Cancelled,
        }
    }

    pub(super) fn set_response<B>(&mut self, response: &Response<B>) {
        self.status = Some(response.status());
        let headers = response.headers();
        let id = UPSTREAM_IDS.iter().find_map(|name| headers.get(name));
        self.upstream_request_id = id.cloned();
    }

    pub(super) fn add_sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn set_complete(&mut self) {
        self.end = End::Complete;
    }

    pub(super) fn set_broken(&mut self) {
        self.end = End::Broken;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(arrival) = self.progress.arrival() else {
            return;
        };
        let now = Instant::now();
        let is_upgraded = self.status == Some(StatusCode::SWITCHING_PROTOCOLS);
        let latest = self.progress.attempt();
        let latest = latest.as_ref();
        tracing::info!(
            method = %arrival.method,
            // Leaves out the query, which can hold a key.
            path = arrival.uri.path(),
            status = self.status.map(|status| status.as_u16()),
            client = self.progress.client().as_deref(),
            client_certificate = arrival.certificate.as_deref(),
            pool = self.progress.pool().as_deref(),
            backend = latest.map(|(selected, _)| selected.backend().label()),
            attempts = latest.map_or(0, |(_, attempts)| attempts.count()),
            spill = latest.is_some_and(|(selected, _)| selected.is_spill()),
            // Cast, because JSON logs would write the u128 of `as_millis` as text.
            duration_ms = (now - arrival.start).as_millis() as u64,
            bytes = self.bytes,
            bytes_in = is_upgraded.then(|| self.progress.received()),
            end = match self.end {
                End::Complete => "complete",
                End::Broken => "broken",
                End::Cancelled => "cancelled",
            },
            request_id = text(arrival.request_id.as_ref()),
            upstream_request_id = text(self.upstream_request_id.as_ref()),
            "request"
        );
    }
}

/// Returns the text of an id. An id with other characters than visible ASCII is not logged.
fn text(id: Option<&HeaderValue>) -> Option<&str> {
    id?.to_str().ok()
}

/// The fields in which backends name the id of a request, to be given to their support.
const UPSTREAM_IDS: [HeaderName; 4] = [
    X_REQUEST_ID,
    HeaderName::from_static("request-id"),
    HeaderName::from_static("apim-request-id"),
    HeaderName::from_static("x-amzn-requestid"),
];

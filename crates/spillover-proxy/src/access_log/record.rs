use http::{Request, Response, StatusCode};
use tokio::time::Instant;

use super::Certificate;
use crate::{Progress, progress::Arrival};

/// A log line in the making, which is written when the record is dropped.
#[derive(Debug)]
pub(super) struct Record {
    /// Shared with the layers inside. Has the large fields, since the record is moved with the request and its response.
    progress: Progress,
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
            start: Instant::now(),
        });
        request.extensions_mut().insert(progress.clone());
        Self {
            progress,
            status: None,
            bytes: 0,
            end: End::Cancelled,
        }
    }

    pub(super) fn set_response<B>(&mut self, response: &Response<B>) {
        self.status = Some(response.status());
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
            "request"
        );
    }
}

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use http::{Method, Request, Response, StatusCode, Uri};
use tokio::time::Instant;
use tower_spillover::{Attempts, Selected};

use spillover_serve::ClientFingerprint;

/// What is known of a request so far. Dropped, it becomes a line of the log.
#[derive(Debug)]
pub(super) struct Record {
    method: Method,
    uri: Uri,
    certificate: Option<ClientFingerprint>,
    begun: Instant,
    status: Option<StatusCode>,
    progress: Progress,
    bytes: u64,
    end: End,
}

/// How far a request has come, told on its way. Clones share it: so it is known of a request that is given up, too.
///
/// It is in the extensions of requests that are logged, and of no others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
    received: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    client: Option<Arc<str>>,
    pool: Option<Arc<str>>,
    latest: Option<(Selected, Attempts)>,
}

impl Progress {
    /// Whose request it is.
    pub(crate) fn note_client(&self, name: &Arc<str>) {
        self.lock().client = Some(Arc::clone(name));
    }

    /// Where it was sent.
    pub(crate) fn note_pool(&self, name: &Arc<str>) {
        self.lock().pool = Some(Arc::clone(name));
    }

    /// An attempt.
    pub(crate) fn note(&self, selected: &Selected, tried: &Attempts) {
        self.lock().latest = Some((selected.clone(), tried.clone()));
    }

    /// Counts what a client sent through a tunnel.
    pub(crate) fn add_received(&self, bytes: usize) {
        self.shared.received.fetch_add(bytes as u64, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        let known = self.shared.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
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
    pub(super) fn begin<B>(request: &mut Request<B>) -> Self {
        let progress = Progress::default();
        request.extensions_mut().insert(progress.clone());
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            certificate: request.extensions().get().cloned(),
            begun: Instant::now(),
            status: None,
            progress,
            bytes: 0,
            end: End::Cancelled,
        }
    }

    pub(super) fn answered<B>(&mut self, response: &Response<B>) {
        self.status = Some(response.status());
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
        let is_tunnel = self.status == Some(StatusCode::SWITCHING_PROTOCOLS);
        let received = self.progress.shared.received.load(Relaxed);
        let known = self.progress.lock();
        let latest = known.latest.as_ref();
        tracing::info!(
            method = %self.method,
            // Without the query, which can hold a key.
            path = self.uri.path(),
            status = self.status.map(|status| status.as_u16()),
            client = known.client.as_deref(),
            client_certificate = self.certificate.as_ref().map(ClientFingerprint::as_str),
            pool = known.pool.as_deref(),
            backend = latest.map(|(selected, _)| selected.backend().label()),
            attempts = latest.map_or(0, |(_, tried)| tried.count()),
            spill = latest.is_some_and(|(selected, _)| selected.is_spill()),
            // A number also in JSON, where what `as_millis` returns would be text.
            duration_ms = (now - self.begun).as_millis() as u64,
            bytes = self.bytes,
            bytes_in = is_tunnel.then_some(received),
            end = match self.end {
                End::Complete => "complete",
                End::Broken => "broken",
                End::Cancelled => "cancelled",
            },
            "request"
        );
    }
}

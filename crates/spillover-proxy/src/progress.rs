use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

#[cfg(feature = "access-log")]
use http::{HeaderValue, Method, Uri};
use spillover_core::{Attempts, Selected};
#[cfg(feature = "access-log")]
use tokio::time::Instant;

/// Fields of a request's log line that inner layers know.
///
/// An extension of requests that are logged. Clones share their state, so that the log line is complete also for a request
/// that is dropped.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    #[cfg(feature = "access-log")]
    arrival: Option<Arrival>,
    known: Mutex<Known>,
    received: AtomicU64,
}

/// Fields of a log line that are known when the request arrives.
#[cfg(feature = "access-log")]
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) certificate: Option<Arc<str>>,
    pub(crate) request_id: Option<HeaderValue>,
    pub(crate) start: Instant,
}

#[derive(Debug, Default)]
struct Known {
    client: Option<Arc<str>>,
    pool: Option<Arc<str>>,
    latest: Option<(Selected, Attempts)>,
}

impl Progress {
    #[cfg(feature = "access-log")]
    pub(crate) fn begin(arrival: Arrival) -> Self {
        let shared = Shared {
            arrival: Some(arrival),
            ..Shared::default()
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    #[cfg(feature = "access-log")]
    pub(crate) fn arrival(&self) -> Option<&Arrival> {
        self.shared.arrival.as_ref()
    }

    /// Sets the name of the client.
    pub fn set_client(&self, name: &Arc<str>) {
        self.lock().client = Some(Arc::clone(name));
    }

    /// Sets the name of the pool that the request is sent to.
    pub fn set_pool(&self, name: &Arc<str>) {
        self.lock().pool = Some(Arc::clone(name));
    }

    /// Sets the latest attempt.
    pub fn set_attempt(&self, selected: &Selected, attempts: &Attempts) {
        self.lock().latest = Some((selected.clone(), attempts.clone()));
    }

    /// Adds bytes that the client has sent after an upgrade.
    pub fn add_received(&self, bytes: usize) {
        self.shared.received.fetch_add(bytes as u64, Relaxed);
    }

    /// Returns the name of the client.
    #[must_use]
    pub fn client(&self) -> Option<Arc<str>> {
        self.lock().client.clone()
    }

    /// Returns the name of the pool.
    #[must_use]
    pub fn pool(&self) -> Option<Arc<str>> {
        self.lock().pool.clone()
    }

    /// Returns the latest attempt.
    #[must_use]
    pub fn attempt(&self) -> Option<(Selected, Attempts)> {
        self.lock().latest.clone()
    }

    /// Returns the number of bytes that the client has sent after an upgrade.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.shared.received.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        let known = self.shared.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

/// The state of a port.
#[derive(Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    refusals: u64,
    throttled_until: Option<Instant>,
    reopened: Option<Instant>,
}

impl State {
    pub(super) fn count_refusal(&self) {
        self.lock().refusals += 1;
    }

    pub(super) fn refusals(&self) -> u64 {
        self.lock().refusals
    }

    pub(super) fn throttle_until(&self, end: Instant) {
        let mut inner = self.lock();
        inner.throttled_until = Some(end);
        inner.reopened = None;
    }

    /// Returns the wait of a request at `now`. Records the first request without a wait after the throttling.
    pub(super) fn throttled_for(&self, now: Instant) -> Option<Duration> {
        let mut inner = self.lock();
        let end = inner.throttled_until?;
        if now < end {
            return Some(end - now);
        }
        inner.reopened.get_or_insert(now);
        None
    }

    /// Returns the time from the end of the throttling to the next use of the port.
    pub(super) fn reopened_after(&self) -> Option<Duration> {
        let inner = self.lock();
        Some(inner.reopened? - inner.throttled_until?)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

/// What a port remembers.
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

    /// How long a request that comes now is told to wait. The first that is not, is the one that found the port open again.
    pub(super) fn throttled_for(&self, now: Instant) -> Option<Duration> {
        let mut inner = self.lock();
        let end = inner.throttled_until?;
        if now < end {
            return Some(end - now);
        }
        inner.reopened.get_or_insert(now);
        None
    }

    /// How long after the end of its throttling the port was used again.
    pub(super) fn reopened_after(&self) -> Option<Duration> {
        let inner = self.lock();
        Some(inner.reopened? - inner.throttled_until?)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Duration, Instant},
};

/// Limit of open connections, on all threads together.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    max: usize,
    permits: Arc<Semaphore>,
    full: Mutex<Option<Instant>>,
    times_full: AtomicU64,
}

impl ConnectionLimit {
    pub(super) fn new(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            max,
            permits: Arc::new(Semaphore::new(max)),
            full: Mutex::default(),
            times_full: AtomicU64::new(0),
        }
    }

    /// Waits until there is a permit, without taking it.
    pub(super) async fn wait(&self) {
        if self.permits.available_permits() == 0 {
            self.report();
            // Cannot fail: the semaphore is never closed.
            drop(self.permits.acquire().await);
        }
    }

    /// Acquires a permit. Dropping the permit releases it.
    pub(super) async fn acquire(&self) -> OwnedSemaphorePermit {
        if self.permits.available_permits() == 0 {
            self.report();
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.expect("the semaphore is never closed")
    }

    /// Logs that the limit is reached, at most once per interval.
    fn report(&self) {
        self.times_full.fetch_add(1, Relaxed);
        let now = Instant::now();
        let mut last = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now - last < REPORT_INTERVAL) {
            return;
        }
        *last = Some(now);
        drop(last);
        let times = self.times_full.swap(0, Relaxed);
        tracing::warn!(max = self.max, times, "no place for another connection");
    }
}

const REPORT_INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connection_beyond_the_limit_waits_for_a_permit() {
        let limit = ConnectionLimit::new(1);
        let permit = limit.acquire().await;
        assert!(limit.wait().now_or_never().is_none());
        assert!(limit.acquire().now_or_never().is_none());
        drop(permit);
        limit.wait().await;
        let _permit = limit.acquire().await;
    }

    #[tokio::test(start_paused = true)]
    async fn full_limit_is_counted_and_reported_once_per_interval() {
        let limit = ConnectionLimit::new(1);
        let _permit = limit.acquire().await;
        for _ in 0..3 {
            limit.report();
        }
        assert_eq!(limit.times_full.load(Relaxed), 2);
        tokio::time::advance(REPORT_INTERVAL).await;
        limit.report();
        assert_eq!(limit.times_full.load(Relaxed), 0);
    }
}

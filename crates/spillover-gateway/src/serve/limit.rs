use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Duration, Instant},
};

/// How many connections there may be at one time, on all threads.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    max: usize,
    places: Arc<Semaphore>,
    full: Mutex<Option<Instant>>,
    times_full: AtomicU64,
}

impl ConnectionLimit {
    pub(super) fn new(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            max,
            places: Arc::new(Semaphore::new(max)),
            full: Mutex::default(),
            times_full: AtomicU64::new(0),
        }
    }

    /// Waits until there is a place, and takes none.
    pub(super) async fn wait(&self) {
        if self.places.available_permits() == 0 {
            self.report();
            // It is never closed.
            drop(self.places.acquire().await);
        }
    }

    /// Waits for a place. Dropping what this returns gives it back.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        if self.places.available_permits() == 0 {
            self.report();
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.expect("it is never closed")
    }

    /// Says that it is full, and not again for a while.
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

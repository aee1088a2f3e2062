use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The number and age of the active configuration, and the error of a newer one. Clones share their state.
#[derive(Clone, Debug)]
pub struct ReloadStatus {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    generation: u64,
    accepted: Instant,
    refused: Option<(String, Instant)>,
}

impl ReloadStatus {
    /// Records that the first configuration is active from `now` on.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                generation: 1,
                accepted: now,
                refused: None,
            })),
        }
    }

    /// Returns the number of the active configuration. The first one is 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Returns the time since the configuration became active.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now - self.lock().accepted
    }

    /// Returns the error of a newer configuration that was refused, and the time since then.
    #[must_use]
    pub fn refusal(&self, now: Instant) -> Option<(String, Duration)> {
        let inner = self.lock();
        let (reason, at) = inner.refused.as_ref()?;
        Some((reason.clone(), now - *at))
    }

    /// Records that another configuration is active from `now` on.
    pub fn accepted(&self, now: Instant) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.accepted = now;
        inner.refused = None;
    }

    /// Records that a configuration was refused at `now`.
    pub fn refused(&self, reason: String, now: Instant) {
        self.lock().refused = Some((reason, now));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Which configuration is in service, and what became of the latest one. Clones are one.
#[derive(Clone, Debug)]
pub(crate) struct ReloadStatus {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    generation: u64,
    accepted: Instant,
    refused: Option<(String, Instant)>,
}

impl ReloadStatus {
    /// The first configuration is in service from now on.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                generation: 1,
                accepted: now,
                refused: None,
            })),
        }
    }

    /// 1 for the one that the gateway started with, and 1 more for each that followed.
    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// For how long it has been in service.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now - self.lock().accepted
    }

    /// Why a newer one is not, and for how long that has been known.
    pub(crate) fn refusal(&self, now: Instant) -> Option<(String, Duration)> {
        let inner = self.lock();
        let (reason, at) = inner.refused.as_ref()?;
        Some((reason.clone(), now - *at))
    }

    pub(crate) fn accepted(&self, now: Instant) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.accepted = now;
        inner.refused = None;
    }

    pub(crate) fn refused(&self, reason: String, now: Instant) {
        self.lock().refused = Some((reason, now));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

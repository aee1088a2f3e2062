use std::sync::Arc;

use tokio::sync::Semaphore;
use tower_layer::Layer;

use super::ConcurrencyLimit;

/// Bounds how many requests are under way at once; see the [module](super). All services made from one layer share the bound.
#[derive(Clone, Debug)]
#[must_use]
pub struct ConcurrencyLimitLayer {
    semaphore: Arc<Semaphore>,
}

impl ConcurrencyLimitLayer {
    /// Creates a layer for at most `max` requests at once. With 0 no request is ever taken.
    ///
    /// # Panics
    ///
    /// When `max` is more than [`Semaphore::MAX_PERMITS`].
    pub fn new(max: usize) -> Self {
        Self::with_semaphore(Arc::new(Semaphore::new(max)))
    }

    /// Creates a layer whose bound is the number of permits of a semaphore. A clone of the semaphore shares the bound, tells how far
    /// it is used up, and can move it.
    pub fn with_semaphore(semaphore: Arc<Semaphore>) -> Self {
        Self { semaphore }
    }
}

impl<S> Layer<S> for ConcurrencyLimitLayer {
    type Service = ConcurrencyLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConcurrencyLimit::new(inner, Arc::clone(&self.semaphore))
    }
}

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use spillover_core::StatusClassifier;
use tower::retry::budget::TpsBudget;
use tower_layer::Layer;

use super::{RetryThrottled, state::Policy};

/// Sends a refused request to the next backend; see the [module](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RetryThrottledLayer<C = StatusClassifier> {
    pub(crate) policy: Policy<C>,
    limits: ReplayLimits,
}

impl RetryThrottledLayer {
    /// Creates the layer. It retries until no backend is left, and keeps bodies within the default limits.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> RetryThrottledLayer<C> {
    /// Bounds the attempts of one request; 1 is the least. Default: as many as there are backends that would take it.
    ///
    /// An attempt that sends the request to the same backend once more, because the backend did not process it, does not count.
    ///
    /// A hedge counts if a backend was chosen for it, but is not held back by this bound: hedges have their own budget.
    pub fn max_attempts(mut self, max: u32) -> Self {
        self.policy.bounds.max_attempts = Some(NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN));
        self
    }

    /// Sets how long after the arrival of the request the last attempt may begin. Default: no bound.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.policy.bounds.deadline = Some(deadline);
        self
    }

    /// Sets the budget for more attempts of requests that are themselves retries of a client (`x-stainless-retry-count`), so
    /// that the client's retries and the ones of this layer do not multiply in an outage. Default: none.
    ///
    /// Requests that the client sends for the first time take nothing from it. Nothing is deposited, as that would cost each
    /// request a lock: only the budget's minimum per second counts.
    pub fn sdk_retry_budget(mut self, budget: TpsBudget) -> Self {
        self.policy.bounds.sdk_retry_budget = Some(Arc::new(budget));
        self
    }

    /// Sets how much of request bodies is kept for another attempt.
    pub fn replay_limits(self, limits: ReplayLimits) -> Self {
        Self { limits, ..self }
    }

    /// Decides by `classify` what an answer without an [`Outcome`](spillover_core::Outcome) means.
    pub fn with_classify<T>(self, classify: T) -> RetryThrottledLayer<T> {
        let bounds = self.policy.bounds;
        RetryThrottledLayer {
            policy: Policy { classify, bounds },
            limits: self.limits,
        }
    }
}

impl<S: Clone, C: Clone> Layer<S> for RetryThrottledLayer<C> {
    type Service = RetryThrottled<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryThrottled::new(inner, self.policy.clone(), self.limits.clone())
    }
}

/// Bounds how many bytes of request bodies are kept for another attempt: per request, and of all requests together. Clones
/// share the total.
///
/// Each chunk counts for 32 bytes more than it has, so that many small chunks are bounded as well.
#[derive(Clone, Debug)]
#[must_use]
pub struct ReplayLimits {
    per_request: usize,
    total: usize,
    used: Arc<AtomicUsize>,
}

impl ReplayLimits {
    /// Sets the bytes kept of one request. Default: 32 MiB: transcription endpoints take files of 25 MB.
    pub fn per_request(self, bytes: usize) -> Self {
        Self {
            per_request: bytes,
            ..self
        }
    }

    /// Sets the bytes kept of all requests together. Default: 1 GiB.
    pub fn total(self, bytes: usize) -> Self {
        Self {
            total: bytes,
            ..self
        }
    }

    pub(super) fn allows(&self, bytes: u64) -> bool {
        bytes <= self.per_request as u64
    }

    /// Reserves `more` bytes for a request that has reserved `taken` so far. Returns false if a limit forbids that.
    pub(super) fn reserve(&self, taken: usize, more: usize) -> bool {
        if more > self.per_request.saturating_sub(taken) {
            return false;
        }
        let add = |used: usize| used.checked_add(more).filter(|&sum| sum <= self.total);
        self.used.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    pub(super) fn release(&self, bytes: usize) {
        // All requests write to this counter. One that reserved nothing need not.
        if bytes > 0 {
            self.used.fetch_sub(bytes, Relaxed);
        }
    }
}

impl Default for ReplayLimits {
    fn default() -> Self {
        Self {
            per_request: 32 << 20,
            total: 1 << 30,
            used: Arc::default(),
        }
    }
}

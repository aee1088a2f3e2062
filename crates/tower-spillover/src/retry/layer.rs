use std::{num::NonZeroU32, sync::Arc, time::Duration};

use spillover_core::StatusClassifier;
use tower::retry::budget::TpsBudget;
use tower_layer::Layer;

use super::{ReplayLimits, RetryThrottled, ThrottlePolicy, bounds::Bounds};

/// Sends a refused request to the next backend; see the [module](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RetryThrottledLayer<C = StatusClassifier> {
    classify: C,
    pub(crate) bounds: Bounds,
    limits: ReplayLimits,
}

impl RetryThrottledLayer {
    /// Retries until no backend is left, and keeps bodies within the default limits.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> RetryThrottledLayer<C> {
    /// Bounds the attempts of one request; 1 is the least. Default: as many as there are backends that would take it.
    ///
    /// An attempt that sends the request to the same backend once more, which did not process it, is none of them.
    ///
    /// None begins here after so many. A hedge is one of them, where its backend was chosen, but is not held back by this:
    /// what bounds hedges is their own budget.
    pub fn max_attempts(mut self, max: u32) -> Self {
        self.bounds.max_attempts = Some(NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN));
        self
    }

    /// No attempt begins later than this after the request came. Default: none, each attempt has a timeout of its own.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.bounds.deadline = Some(deadline);
        self
    }

    /// Takes another attempt of a request that a client sends again (`x-stainless-retry-count`) from this budget, so that
    /// its retries and those made here do not multiply in an outage. First tries are free. Nothing is deposited, as that
    /// would cost each request a lock: it is the budget's minimum a second that counts. Default: none.
    pub fn sdk_retry_budget(mut self, budget: TpsBudget) -> Self {
        self.bounds.sdk_retry_budget = Some(Arc::new(budget));
        self
    }

    /// How much of request bodies is kept for another attempt.
    pub fn replay_limits(self, limits: ReplayLimits) -> Self {
        Self { limits, ..self }
    }

    /// Decides by `classify` what an answer without an [`Outcome`](spillover_core::Outcome) means.
    pub fn with_classify<T>(self, classify: T) -> RetryThrottledLayer<T> {
        RetryThrottledLayer {
            classify,
            bounds: self.bounds,
            limits: self.limits,
        }
    }
}

impl<S: Clone, C: Clone> Layer<S> for RetryThrottledLayer<C> {
    type Service = RetryThrottled<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let policy = ThrottlePolicy::new(self.classify.clone(), self.bounds.clone());
        RetryThrottled::new(inner, policy, self.limits.clone())
    }
}

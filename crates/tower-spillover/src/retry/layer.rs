use std::num::NonZeroU32;

use spillover_core::StatusClassifier;
use tower_layer::Layer;

use super::{ReplayLimits, RetryThrottled, ThrottlePolicy};

/// Sends a refused request to the next backend; see the [module](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RetryThrottledLayer<C = StatusClassifier> {
    classify: C,
    max_attempts: Option<NonZeroU32>,
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
    pub fn max_attempts(self, max: u32) -> Self {
        Self {
            max_attempts: Some(NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN)),
            ..self
        }
    }

    /// How much of request bodies is kept for another attempt.
    pub fn replay_limits(self, limits: ReplayLimits) -> Self {
        Self { limits, ..self }
    }

    /// Decides by `classify` what an answer without an [`Outcome`](spillover_core::Outcome) means.
    pub fn with_classify<T>(self, classify: T) -> RetryThrottledLayer<T> {
        RetryThrottledLayer {
            classify,
            max_attempts: self.max_attempts,
            limits: self.limits,
        }
    }
}

impl<S, C: Clone> Layer<S> for RetryThrottledLayer<C> {
    type Service = RetryThrottled<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let policy = ThrottlePolicy::new(self.classify.clone(), self.max_attempts);
        RetryThrottled::new(inner, policy, self.limits.clone())
    }
}

use spillover_core::{Cooldowns, StatusClassifier};
use tower_layer::Layer;

use super::ThrottleTracker;

/// Remembers what answers say about a backend; see the [module](super).
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct ThrottleTrackerLayer<C = StatusClassifier> {
    pub(crate) classify: C,
    cooldowns: Cooldowns,
}

impl ThrottleTrackerLayer {
    /// Tracks by status, with the default cooldowns.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> ThrottleTrackerLayer<C> {
    /// Decides by `classify` what an answer means.
    pub fn with_classify<T>(self, classify: T) -> ThrottleTrackerLayer<T> {
        ThrottleTrackerLayer {
            classify,
            cooldowns: self.cooldowns,
        }
    }

    /// Sets how long a refusal closes a backend.
    pub fn cooldowns(self, cooldowns: Cooldowns) -> Self {
        Self { cooldowns, ..self }
    }
}

impl<S, C: Clone> Layer<S> for ThrottleTrackerLayer<C> {
    type Service = ThrottleTracker<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        ThrottleTracker::new(inner, self.classify.clone(), self.cooldowns)
    }
}

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use super::ThrottlePolicy;

/// What attempts after the first are made with. All requests of a service share it: few are refused, and a clone of the
/// service for each would change every counter that clones share.
pub(super) struct Spare<S, C> {
    pub(super) policy: ThrottlePolicy<C>,
    service: Mutex<S>,
}

impl<S, C> Spare<S, C> {
    pub(super) fn new(service: S, policy: ThrottlePolicy<C>) -> Self {
        Self {
            policy,
            service: Mutex::new(service),
        }
    }
}

impl<S: Clone, C> Spare<S, C> {
    /// A service that is not ready.
    pub(super) fn service(&self) -> S {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        service.clone()
    }
}

impl<S, C: fmt::Debug> fmt::Debug for Spare<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spare")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

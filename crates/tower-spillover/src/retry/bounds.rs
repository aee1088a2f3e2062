use std::{num::NonZeroU32, sync::Arc, time::Duration};

use http::HeaderValue;
use spillover_core::Tried;
use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

/// What bounds the attempts of one request, beside the number of backends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) max_attempts: Option<NonZeroU32>,
    pub(crate) deadline: Option<Duration>,
    /// How many backends there are, where that is known.
    pub(crate) backends: Option<NonZeroU32>,
    pub(super) sdk_retry_budget: Option<Arc<TpsBudget>>,
}

/// How far one request has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// When the request came, where a deadline depends on it.
    begun: Option<Instant>,
    /// Attempts made, hedges among them, but not those that sent the request to the same backend once more.
    pub(super) attempts: u32,
    /// The number of attempts that sent the request to the same backend once more.
    resends: u32,
    /// How many of them somebody chose a backend for.
    chosen: u32,
}

impl Bounds {
    /// Returns whether no other backend gets the request after the next attempt.
    pub(super) fn is_last_backend(&self, progress: &Progress) -> bool {
        let bounds = [self.max_attempts, self.backends];
        let mut bounds = bounds.into_iter().flatten();
        bounds.any(|most| progress.attempts + 1 >= most.get())
    }

    /// Returns whether the next attempt is the last, so that no copy of the request is needed. The last backend may still get
    /// the request once more, unless it has had it so.
    pub(super) fn is_last(&self, progress: &Progress) -> bool {
        progress.resends > progress.attempts && self.is_last_backend(progress)
    }

    /// Whether the budget has room for another attempt, if the request is itself the retry of a client. The `count` is how
    /// often the SDK has sent it before.
    pub(super) fn is_affordable<'a>(
        &self,
        count: impl FnOnce() -> Option<&'a HeaderValue>,
    ) -> bool {
        let Some(budget) = &self.sdk_retry_budget else {
            return true;
        };
        let is_retry = count().is_some_and(|count| count != "0");
        let is_affordable = !is_retry || budget.withdraw();
        if !is_affordable {
            tracing::debug!(
                "refused, and not sent to another backend: too many retries of clients"
            );
        }
        is_affordable
    }
}

/// Returns whether the next attempt sends the request to the same backend once more.
pub(super) fn is_resend_due(tried: Option<&Tried>) -> bool {
    tried.is_some_and(|tried| tried.resend_to().is_some())
}

impl Progress {
    /// Notes that the first attempt is about to be made.
    pub(super) fn begin(&mut self, bounds: &Bounds) {
        if bounds.deadline.is_some() {
            self.begun = Some(Instant::now());
        }
    }

    /// Counts an attempt that was refused. Whether another could go elsewhere, or was asked for all the same.
    pub(super) fn has_attempt_left(&mut self, bounds: &Bounds, tried: Option<&Tried>) -> bool {
        let chosen = tried.map_or(0, Tried::attempts);
        let is_chosen = chosen > std::mem::replace(&mut self.chosen, chosen);
        if is_resend_due(tried) {
            // The two of them count as one, in which the backend looked at the request.
            self.resends += 1;
            return true;
        }
        // A layer inside that hedges makes more than one.
        self.attempts = (self.attempts + 1).max(chosen.saturating_sub(self.resends));
        match bounds.max_attempts {
            Some(max) => self.attempts < max.get(),
            None => is_chosen,
        }
    }

    pub(super) fn is_late(&self, bounds: &Bounds) -> bool {
        match (self.begun, bounds.deadline) {
            (Some(begun), Some(deadline)) => Instant::now() - begun >= deadline,
            _ => false,
        }
    }
}

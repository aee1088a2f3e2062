use std::fmt;

use spillover_hint::Dimension;
use tokio::time::Instant;

use super::{Change, Pool, Scope, state::Claim};
use crate::{Backend, Outcome};

/// The backend chosen for one attempt. In the request's extensions it tells the layers below where the request goes; in
/// the response's it says who answered.
#[derive(Clone)]
pub struct Selected {
    pool: Pool,
    index: usize,
    scope: Scope,
    claim: Claim,
}

impl Selected {
    pub(super) fn new(pool: Pool, index: usize, scope: Scope, claim: Claim) -> Self {
        Self {
            pool,
            index,
            scope,
            claim,
        }
    }

    /// The chosen backend.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.pool.member(self.index).backend
    }

    /// Its position in the list of the pool.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The pool it was chosen from.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The scope of the request.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether it is below the best tier.
    #[must_use]
    pub fn is_spill(&self) -> bool {
        self.backend().priority() != self.pool.best_priority()
    }

    /// Whether this attempt probes a backend that failed.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.claim.is_probe()
    }

    /// Whether the backend had asked for a wait, this attempt obeyed it, and nobody was served since: if it is refused now,
    /// the wait was too short.
    #[must_use]
    pub fn has_obeyed(&self, now: Instant) -> bool {
        let state = &self.pool.member(self.index).state;
        state.has_obeyed(self.claim, self.pool.tick(now))
    }

    /// Whether it is time to look which limits the backend announces in an answer. It is every 10 s, for one request.
    #[must_use]
    pub fn is_limit_due(&self, now: Instant) -> bool {
        let state = &self.pool.member(self.index).state;
        state.is_limit_due(self.pool.tick(now))
    }

    /// Notes a limit that the backend announces for the scope of the request, and returns the one before if that was
    /// higher: providers that are short of capacity lower limits for a time.
    pub fn note_limit(&self, dimension: Dimension, limit: u64) -> Option<u64> {
        let state = &self.pool.member(self.index).state;
        state.note_limit(self.claim, dimension, limit)
    }

    /// Notes how the attempt went, and says what that changed. Cooldowns merge by maximum: none shortens an earlier one.
    pub fn record(&self, outcome: &Outcome, now: Instant) -> Option<Change> {
        let state = &self.pool.member(self.index).state;
        state.record(self.claim, outcome, self.pool.tick(now))
    }

    /// Notes that the attempt was given up before it had an outcome: nothing is held against the backend, it is counted as
    /// cancelled, and where it was a probe, the next request can probe in its place.
    pub fn cancel(&self, now: Instant) {
        let state = &self.pool.member(self.index).state;
        state.cancel(self.claim, self.pool.tick(now));
    }

    /// Notes that an answer broke off, or reported an error, after its beginning had been passed on: it can be counted, but
    /// not be taken back.
    pub fn record_broken(&self) {
        self.pool.member(self.index).state.record_broken();
    }
}

impl fmt::Debug for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selected")
            .field("backend", &self.backend().label())
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}

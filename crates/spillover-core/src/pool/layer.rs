//! The protocol between the layers of `tower-spillover`, which meet through values in the extensions of a request.
//!
//! Import the traits to write a layer that takes part in the protocol. For example, an HTTP client that gives up an
//! attempt in time for another backend asks [`SelectedProtocol::may_move_on`]. Users of the layers do not need this
//! module.

use std::{
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
    time::Duration,
};

use spillover_hint::Dimension;
use tokio::time::Instant;

pub use super::query::is_client_retry;
use super::{
    Opening, Recorded,
    attempts::{Attempts, EXHAUSTED, LAST, bit_of},
    selected::Selected,
};
pub use crate::late::LateReport;
use crate::{Class, Outcome};

/// The methods of [`Attempts`] for layers.
pub trait AttemptsProtocol: sealed::Sealed {
    /// Records that the backend with this index refused because of a limit. A request that waits for a backend to open may ask
    /// it again ([`Query::again`](crate::Query::again)).
    fn mark_limited(&self, index: usize);

    /// Returns the instant until which the request waits for a backend. The first call sets it to `deadline`.
    fn wait_deadline(&self, deadline: Instant) -> Instant;

    /// Returns the instant since which the client waits. The first call sets it to `now`.
    fn begun(&self, now: Instant) -> Instant;

    /// Records that the attempt under way has the head of a response, which is held back. The backend is not silent
    /// then. The next [`mark`](Attempts::mark) undoes it.
    fn set_head(&self);

    /// Returns true if the attempt under way has the head of an answer.
    #[must_use]
    fn has_head(&self) -> bool;

    /// Records that a response began which is no refusal. An attempt that is given up from now on has lost against it.
    fn set_answered(&self);

    /// Returns true if a response began which is no refusal.
    #[must_use]
    fn is_answered(&self) -> bool;

    /// Records that a backend refused the request with an answer of this class.
    fn record_refusal(&self, class: Class);

    /// Sets whether no other backend would take the request, so that the answer at hand is the last.
    fn set_exhausted(&self, is_exhausted: bool);

    /// Records that no attempt follows the one under way, whatever comes of it.
    fn set_last(&self);

    /// Returns true if the attempt under way is [the last](Self::set_last).
    #[must_use]
    fn is_last(&self) -> bool;

    /// Returns true if another attempt would be made if the one under way were refused now, as far as that does not depend on
    /// the backends: the attempt is not [the last](Self::set_last), the request did not break, and its body can be sent again.
    #[must_use]
    fn may_try_again(&self) -> bool;

    /// Records that the request itself broke, e.g. its body could not be read. No backend is at fault.
    fn set_request_failed(&self);

    /// Sets whether the rest of the request body is awaited. Meanwhile the client is late, and not the backend.
    fn set_awaiting_body(&self, is_awaiting: bool);

    /// Returns true if the rest of the request body is awaited.
    #[must_use]
    fn is_awaiting_body(&self) -> bool;

    /// Sets whether the attempt under way is the only one that has the request body: it has not read it to its end, or the body
    /// was not kept.
    fn set_body_held(&self, is_held: bool);

    /// Returns true if a second attempt beside the one under way would not get the request body, or would take it away.
    #[must_use]
    fn is_body_held(&self) -> bool;
}

/// The methods of [`Selected`] for layers.
pub trait SelectedProtocol: sealed::Sealed {
    /// Returns true if a backend that is none of those tried would take the request now.
    #[must_use]
    fn has_candidate(&self, attempts: &Attempts, now: Instant) -> bool;

    /// Returns true if the request would go to another backend if this one refused it now.
    #[must_use]
    fn may_move_on(&self, attempts: &Attempts, now: Instant) -> bool;

    /// Returns true if a backend that is none of those tried is open for the request.
    #[must_use]
    fn has_open_candidate(&self, attempts: &Attempts, now: Instant) -> bool;

    /// Returns the time that the backend takes to begin its responses:
    /// a moving average that follows a rise at once and a fall slowly. `None` while the latest attempts of the scope were given up.
    #[must_use]
    fn latency(&self, now: Instant) -> Option<Duration>;

    /// Returns the time until a backend may take the request that refused it because of a limit, or was not tried and is full or
    /// throttled. `None` if there is nothing to wait for.
    #[must_use]
    fn opening(&self, attempts: &Attempts, now: Instant) -> Option<Opening>;

    /// Returns true if the backend had asked for a wait, this attempt was the first after it, and no other was served since. If
    /// such an attempt is refused, the wait was too short. If two attempts begin at the same instant, neither is the first.
    #[must_use]
    fn has_obeyed(&self, now: Instant) -> bool;

    /// Returns true if it is time to read the limits that the backend announces: every 10 s, for one request.
    #[must_use]
    fn is_limit_due(&self, now: Instant) -> bool;

    /// Records a limit that the backend announces for the scope of the request. Returns the one before if that was higher:
    /// providers that are short of capacity lower limits for a time.
    fn record_limit(&self, dimension: Dimension, limit: u64) -> Option<u64>;

    /// Adds details to a recorded refusal that became known later, without counting it again. Cooldowns merge by
    /// maximum. An outcome that does not [cool](Class::is_cooling) changes nothing.
    fn amend(&self, outcome: &Outcome, now: Instant) -> Recorded;

    /// Counts an answer that broke off, or reported an error, after its beginning had been passed on. Later calls for the same
    /// attempt count nothing.
    fn record_broken(&self);
}

impl sealed::Sealed for Attempts {}

impl AttemptsProtocol for Attempts {
    fn mark_limited(&self, index: usize) {
        if let Some(word) = self.waiting().limited.get(index / 64) {
            word.fetch_or(1 << (index % 64), Relaxed);
        }
    }

    fn wait_deadline(&self, deadline: Instant) -> Instant {
        *self.waiting().deadline.get_or_init(|| deadline)
    }

    fn begun(&self, now: Instant) -> Instant {
        *self.shared.begun.get_or_init(|| now)
    }

    fn set_head(&self) {
        self.shared.has_head.store(true, Relaxed);
    }

    fn has_head(&self) -> bool {
        self.shared.has_head.load(Relaxed)
    }

    fn set_answered(&self) {
        self.shared.is_answered.store(true, Relaxed);
    }

    fn is_answered(&self) -> bool {
        self.shared.is_answered.load(Relaxed)
    }

    fn record_refusal(&self, class: Class) {
        self.shared.refusals.fetch_or(bit_of(class), Relaxed);
    }

    fn set_exhausted(&self, is_exhausted: bool) {
        let end = &self.shared.end;
        match is_exhausted {
            true => end.fetch_or(EXHAUSTED, Release),
            false => end.fetch_and(!EXHAUSTED, Release),
        };
    }

    fn set_last(&self) {
        self.shared.end.fetch_or(LAST, Release);
    }

    fn is_last(&self) -> bool {
        self.shared.end.load(Acquire) & LAST != 0
    }

    fn may_try_again(&self) -> bool {
        !self.is_last() && !self.is_request_failed() && !self.is_body_held()
    }

    fn set_request_failed(&self) {
        self.shared.request_failed.store(true, Release);
    }

    fn set_awaiting_body(&self, is_awaiting: bool) {
        self.shared.awaiting_body.store(is_awaiting, Release);
    }

    fn is_awaiting_body(&self) -> bool {
        self.shared.awaiting_body.load(Acquire)
    }

    fn set_body_held(&self, is_held: bool) {
        self.shared.body_held.store(is_held, Release);
    }

    fn is_body_held(&self) -> bool {
        self.shared.body_held.load(Acquire)
    }
}

impl sealed::Sealed for Selected {}

impl SelectedProtocol for Selected {
    fn has_candidate(&self, attempts: &Attempts, now: Instant) -> bool {
        self.pool()
            .has_candidate(&self.query().attempts(attempts), now)
    }

    fn may_move_on(&self, attempts: &Attempts, now: Instant) -> bool {
        attempts.may_try_again() && self.has_candidate(attempts, now)
    }

    fn has_open_candidate(&self, attempts: &Attempts, now: Instant) -> bool {
        let query = self.query().attempts(attempts).open_only();
        self.pool().has_candidate(&query, now)
    }

    fn latency(&self, now: Instant) -> Option<Duration> {
        self.state()
            .latency_at(self.inner.lease, self.pool().tick(now))
    }

    fn opening(&self, attempts: &Attempts, now: Instant) -> Option<Opening> {
        self.pool()
            .opening(&self.query().attempts(attempts).again(), now)
    }

    fn has_obeyed(&self, now: Instant) -> bool {
        self.state()
            .has_obeyed(self.inner.lease, self.pool().tick(now))
    }

    fn is_limit_due(&self, now: Instant) -> bool {
        self.state().is_limit_due(self.pool().tick(now))
    }

    fn record_limit(&self, dimension: Dimension, limit: u64) -> Option<u64> {
        self.state()
            .record_limit(self.inner.lease, dimension, limit)
    }

    fn amend(&self, outcome: &Outcome, now: Instant) -> Recorded {
        self.state()
            .amend(self.inner.lease, outcome, self.pool().tick(now))
    }

    fn record_broken(&self) {
        if !self.inner.is_broken.swap(true, Relaxed) {
            self.state().record_broken();
        }
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "only this crate implements it")]
    pub trait Sealed {}
}

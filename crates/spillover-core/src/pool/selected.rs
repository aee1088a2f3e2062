use std::{fmt, sync::Arc};

use tokio::time::Instant;

use super::{
    Affinity, Exhausted, Pool, Query, Recorded, Scope, Silence,
    in_flight::Place,
    state::{Claim, State},
    sync::AtomicBool,
};
use crate::{Backend, Outcome};

/// The backend chosen for one attempt. In the request's extensions it tells the layers below where the request goes; in
/// the response's it says who answered.
///
/// Clones are one. The request counts as in flight at the backend until one of them is [released](Self::release), or all
/// are dropped.
#[derive(Clone)]
pub struct Selected {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) pool: Pool,
    pub(super) index: usize,
    pub(super) scope: Scope,
    pub(super) is_pinned: bool,
    pub(super) is_resend: bool,
    pub(super) claim: Claim,
    pub(super) place: Place,
    pub(super) is_broken: AtomicBool,
}

impl Selected {
    pub(super) fn new(
        pool: Pool,
        index: usize,
        query: &Query<'_>,
        claim: Claim,
        place: Place,
    ) -> Self {
        let is_pinned = pool.only(query.affinity).is_some();
        let is_resend = query.resend_to() == Some(index);
        if is_resend {
            pool.member(index).state.record_resent();
        }
        Self {
            inner: Arc::new(Inner {
                pool,
                index,
                scope: query.scope,
                is_pinned,
                is_resend,
                claim,
                place,
                is_broken: AtomicBool::new(false),
            }),
        }
    }

    /// The chosen backend.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.inner.pool.member(self.inner.index).backend
    }

    /// Its position in the list of the pool.
    #[must_use]
    pub fn index(&self) -> usize {
        self.inner.index
    }

    /// The pool it was chosen from.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    /// The scope of the request.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.inner.scope
    }

    /// Whether the request may go to no other backend: it was [pinned](Affinity::pinned) to this one.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.inner.is_pinned
    }

    /// Returns whether this attempt sends the request to the same backend once more, which did not process it
    /// ([`Attempts::resend`]). Clients should send it over a new connection: kept ones may have ended as well.
    #[must_use]
    pub fn is_resend(&self) -> bool {
        self.inner.is_resend
    }

    /// What the request is told when no backend would take it.
    #[must_use]
    pub fn exhausted(&self, now: Instant) -> Exhausted {
        self.pool().exhausted(&self.query(), now)
    }

    /// Whether it is below the best tier.
    #[must_use]
    pub fn is_spill(&self) -> bool {
        self.backend().priority() != self.pool().best_priority()
    }

    /// Whether this attempt probes a backend that failed.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.inner.claim.is_probe()
    }

    /// Notes how the attempt went, and says what that changed. Cooldowns merge by maximum: none shortens an earlier one.
    pub fn record(&self, outcome: &Outcome, now: Instant) -> Recorded {
        self.state()
            .record(self.inner.claim, outcome, self.pool().tick(now))
    }

    /// Notes that the attempt ended for a reason that is not the backend's, such as another attempt that was faster: nothing
    /// is held against the backend, it is counted as cancelled, and where it was a probe, the next request can probe in its
    /// place.
    pub fn cancel(&self, now: Instant) {
        self.state().cancel(self.inner.claim, self.pool().tick(now));
    }

    /// Notes that the attempt was given up while it waited for the beginning of an answer. The attempt is cancelled, and counts
    /// towards a silence: after three such attempts in a row the backend is [suspect](crate::Condition::Suspect) for the
    /// scope. Then the silence is returned. An attempt of less than 500 ms does not count, and an answer of any kind ends
    /// the silence.
    ///
    /// ```
    /// use std::time::Duration;
    /// use spillover_core::{Backend, Pool, Query};
    /// use tokio::time::Instant;
    ///
    /// let backend = |label: &str| Backend::builder(label).url("https://upstream.example");
    /// let pool = Pool::new([backend("hangs").build()?, backend("works").priority(2).build()?])?;
    /// let mut now = Instant::now();
    /// let select = |now| pool.select(&Query::new(), now, 0).expect("one is open");
    ///
    /// // Three clients that wait for a second each.
    /// for _ in 0..3 {
    ///     let selected = select(now);
    ///     assert_eq!(selected.backend().label(), "hangs");
    ///     now += Duration::from_secs(1);
    ///     selected.give_up(now);
    /// }
    /// assert_eq!(select(now).backend().label(), "works");
    ///
    /// // Ten seconds later one request probes.
    /// now += Duration::from_secs(10);
    /// assert!(select(now).is_probe());
    /// assert_eq!(select(now).backend().label(), "works");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn give_up(&self, now: Instant) -> Option<Silence> {
        self.state()
            .give_up(self.inner.claim, self.pool().tick(now))
    }

    /// Notes that the request is no longer at the backend, which may then take another. What all clones do after the first
    /// is nothing.
    pub fn release(&self) {
        self.inner.release();
    }

    /// Whether the backend has only so many places.
    pub(super) fn is_limited(&self) -> bool {
        self.state().places().is_limited()
    }

    /// Where it could go: that it belongs somewhere shuts no backend out, unless it is pinned.
    pub(super) fn query(&self) -> Query<'_> {
        let query = Query::new().scope(self.inner.scope);
        if self.inner.is_pinned {
            query.affinity(Affinity::to_backend(self.backend().label()).pinned())
        } else {
            query
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.pool().member(self.index()).state
    }
}

impl Inner {
    fn release(&self) {
        let member = self.pool.member(self.index);
        member.state.places().leave(&self.place);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selected")
            .field("backend", &self.backend().label())
            .field("claim", &self.inner.claim)
            .finish_non_exhaustive()
    }
}

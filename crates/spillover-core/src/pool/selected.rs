use std::{fmt, sync::Arc};

use tokio::time::Instant;

use super::{
    Affinity, Exhausted, Pool, Query, Recorded, Scope, Silence,
    in_flight::Permit,
    state::{Lease, State},
    sync::AtomicBool,
};
use crate::{Backend, Outcome};

/// The backend chosen for one attempt. Layers inside read it in the extensions of the request, layers outside in those of the
/// response.
///
/// Clones share their state. The request counts as in flight at the backend until one of them is [released](Self::release), or all
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
    pub(super) lease: Lease,
    pub(super) permit: Permit,
    pub(super) is_broken: AtomicBool,
}

impl Selected {
    pub(super) fn new(
        pool: Pool,
        index: usize,
        query: &Query<'_>,
        lease: Lease,
        permit: Permit,
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
                lease,
                permit,
                is_broken: AtomicBool::new(false),
            }),
        }
    }

    /// Returns the chosen backend.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.inner.pool.member(self.inner.index).backend
    }

    /// Returns the position of the backend in the list of the pool.
    #[must_use]
    pub fn index(&self) -> usize {
        self.inner.index
    }

    /// Returns the pool from which the backend was chosen.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    /// Returns the scope of the request.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.inner.scope
    }

    /// Returns true if the request is [pinned](Affinity::pinned) to this backend, so that it may go to no other.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.inner.is_pinned
    }

    /// Returns true if this attempt sends the request to the same backend once more, which did not process it
    /// ([`Attempts::resend`](super::Attempts::resend)). Clients should send it over a new connection: kept ones may have ended as well.
    #[must_use]
    pub fn is_resend(&self) -> bool {
        self.inner.is_resend
    }

    /// Returns the time until the pool opens, for a request that no backend would take.
    #[must_use]
    pub fn exhausted(&self, now: Instant) -> Exhausted {
        self.pool().exhausted(&self.query(), now)
    }

    /// Returns true if the backend is below the best tier.
    #[must_use]
    pub fn is_spill(&self) -> bool {
        self.backend().priority() != self.pool().best_priority()
    }

    /// Returns true if this attempt probes a backend that failed.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.inner.lease.is_probe()
    }

    /// Records the outcome of the attempt, and returns its effect. Cooldowns merge by maximum: none shortens an earlier one.
    pub fn record(&self, outcome: &Outcome, now: Instant) -> Recorded {
        self.state()
            .record(self.inner.lease, outcome, self.pool().tick(now))
    }

    /// Records that the attempt ended for another reason than the backend. For example, another attempt was faster. The
    /// backend stays open, the attempt counts as cancelled, and after a probe the next request can probe.
    pub fn cancel(&self, now: Instant) {
        self.state().cancel(self.inner.lease, self.pool().tick(now));
    }

    /// Records that the attempt was given up while it waited for the beginning of an answer. The attempt is cancelled,
    /// and counts towards a silence: after three such attempts in a row the backend is
    /// [suspect](crate::Condition::Suspect) for the scope. The method returns the silence then. An attempt of less than
    /// 500 ms does not count. A response of any kind ends the silence.
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
            .give_up(self.inner.lease, self.pool().tick(now))
    }

    /// Releases the permit of the request at the backend, which may then take another request. Later calls of all
    /// clones do nothing.
    pub fn release(&self) {
        self.inner.release();
    }

    /// Returns true if the backend has a limit of requests in flight.
    pub(super) fn is_limited(&self) -> bool {
        self.state().permits().is_limited()
    }

    /// Returns the query for all backends that the request could go to. An affinity rules no backend out, unless it is pinned.
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
        member.state.permits().release(&self.permit);
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
            .field("lease", &self.inner.lease)
            .finish_non_exhaustive()
    }
}

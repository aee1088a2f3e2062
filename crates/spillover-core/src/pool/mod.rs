//! Backends in tiers, and the choice of the one that takes a request now.

mod affinity;
mod attempts;
mod cause;
mod choice;
mod counts;
mod deadlines;
mod exhausted;
mod failing;
mod in_flight;
mod index_set;
mod latency;
pub mod layer;
mod limits;
mod member;
mod model_in_path;
mod openings;
mod pace;
mod permits;
mod query;
mod queue;
mod rendezvous;
mod scope;
mod selected;
mod silence;
mod snapshot;
mod state;
mod strategy;
mod sync;
#[cfg(test)]
mod tests;
mod throttles;
mod tick;
mod waiter;

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

pub use self::{
    affinity::Affinity,
    attempts::Attempts,
    cause::Cause,
    counts::Counts,
    exhausted::{Exhausted, Opening},
    model_in_path::model_in_path,
    query::Query,
    queue::Turn,
    scope::Scope,
    selected::Selected,
    silence::Silence,
    snapshot::{BackendSnapshot, Change, Condition, Recorded},
    strategy::{Candidate, Candidates, PeakEwma, Strategy, Weighted},
    waiter::Waiter,
};
use self::{member::Member, queue::Queue, state::Access, tick::Tick};
use crate::{Backend, Credential, InvalidPool};

/// Backends in tiers of equal priority, with the state of each. Clones share their state.
///
/// A choice takes no lock, one allocation (the [`Selected`]), and a time proportional to the number of backends.
/// Recording a refusal locks that backend briefly, and so does leaving a backend that was full.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

/// Aligned apart from the reference count, which every request changes.
#[repr(align(128))]
struct Inner {
    members: Box<[Member]>,
    /// Indices into `members`, best tier first; within a tier in the order of the list.
    tiers: Box<[Box<[usize]>]>,
    forwards_credentials: bool,
    queue: Arc<Queue>,
    origin: Instant,
}

impl Pool {
    /// The greatest number of backends in a pool.
    pub const MAX_BACKENDS: usize = Attempts::CAPACITY;

    /// Creates a pool of these backends, all open. Their order matters to [`Pool::first`] only.
    ///
    /// # Errors
    ///
    /// [`InvalidPool`] when there is no backend, more than [`MAX_BACKENDS`](Self::MAX_BACKENDS), or two with one label.
    pub fn new(backends: impl IntoIterator<Item = Backend>) -> Result<Self, InvalidPool> {
        // This is only the zero point of the internal clock. No decision depends on it.
        Self::build(backends, Instant::now(), Member::new)
    }

    /// Creates a pool with these backends that takes over the state of this one, for settings that change while
    /// requests are in flight.
    ///
    /// A backend with the label, URL and deployment of one in this pool is the same, if both have a credential or
    /// neither has. Both pools then share its cooldowns, latency, counts and requests in flight, from now on as well.
    /// For example, a refusal of a request that is in flight in this pool closes the backend in the other. Another
    /// priority, weight, limit of requests in flight or value of the credential does not make it another backend: each
    /// pool uses its own. With another value of the credential a failing backend is open again, because the old
    /// credential may have been the reason. A throttled one stays throttled.
    ///
    /// A request stays with the pool that it began with, because [`Attempts`] holds positions in its list. A layer for
    /// this pool does not change: create a new one for the other.
    ///
    /// ```
    /// use std::time::Duration;
    /// use spillover_core::{Backend, Outcome, Pool, Query};
    /// use tokio::time::Instant;
    ///
    /// let backend = |label: &str| Backend::builder(label).url("https://upstream.example");
    /// let pool = Pool::new([backend("a").build()?, backend("b").priority(2).build()?])?;
    /// let now = Instant::now();
    /// let under_way = pool.select(&Query::new(), now, 0).expect("both are open");
    ///
    /// let reloaded = pool.with_backends([backend("a").weight(3).build()?, backend("c").priority(2).build()?])?;
    /// under_way.record(&Outcome::throttled(Duration::from_secs(2)), now);
    ///
    /// let next = reloaded.select(&Query::new(), now, 0).expect("one is open");
    /// assert_eq!(next.backend().label(), "c");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The same as of [`new`](Self::new).
    pub fn with_backends(
        &self,
        backends: impl IntoIterator<Item = Backend>,
    ) -> Result<Self, InvalidPool> {
        Self::build(backends, self.inner.origin, |backend, queue| {
            let mut known = self.inner.members.iter();
            match known.find(|member| member.backend.is_same(&backend)) {
                Some(member) => member.go_on_as(backend, queue),
                None => Member::new(backend, queue),
            }
        })
    }

    fn build(
        backends: impl IntoIterator<Item = Backend>,
        origin: Instant,
        member: impl Fn(Backend, &Arc<Queue>) -> Member,
    ) -> Result<Self, InvalidPool> {
        let queue = Arc::default();
        let members = backends.into_iter().map(|backend| member(backend, &queue));
        let members: Box<[Member]> = members.collect();
        if members.is_empty() {
            return Err(InvalidPool::Empty);
        }
        if members.len() > Self::MAX_BACKENDS {
            return Err(InvalidPool::TooMany);
        }
        let mut labels = HashSet::new();
        for Member { backend, .. } in &members {
            if !labels.insert(backend.label()) {
                return Err(InvalidPool::DuplicateLabel(backend.label().into()));
            }
        }
        Ok(Self {
            inner: Arc::new(Inner {
                tiers: tiers(&members),
                forwards_credentials: members.iter().any(|m| m.backend.credential().is_none()),
                members,
                queue,
                origin,
            }),
        })
    }

    /// Chooses the backend for the next attempt of a request.
    ///
    /// The best tier that has an open backend for the scope serves. In that tier the [affinity](Query::affinity) of the request
    /// decides, and without one the [strategy](Query::strategy) of the query with a `draw`, which is a uniform random number. A
    /// failing backend whose cooldown is over counts as open for one request at a time, its probe. If no backend is open, one
    /// that is only failing is the last resort. A full one ([`Backend::max_concurrency`]) is never chosen.
    ///
    /// A request that its last backend did not process ([`Attempts::resend`]) goes to the same backend if that is open,
    /// else to another. If no other is open, the request goes to the same backend whatever its state.
    ///
    /// The choice is not recorded in the attempts; [`Attempts::mark`] does that.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if every backend is throttled, full or was tried, with the time until the first one opens. For a request
    /// that is [pinned](Affinity::pinned) only its backend counts.
    pub fn select(
        &self,
        query: &Query<'_>,
        now: Instant,
        draw: u64,
    ) -> Result<Selected, Exhausted> {
        self.choose(query, self.tick(now), draw)
            .or_else(|| self.force_acquire(query.resend_to()?, query, now))
            .ok_or_else(|| self.exhausted(query, now))
    }

    /// Selects the first backend of the list that is not full and was not tried, whatever else its state. Serves
    /// requests that find every backend closed and are forwarded all the same. A [pinned](Affinity::pinned) request
    /// gets its own backend. Returns `None` if there is none.
    #[must_use]
    pub fn first(&self, query: &Query<'_>, now: Instant) -> Option<Selected> {
        let mut untried = self.reach(query).filter(|&index| !query.has_tried(index));
        untried.find_map(|index| self.force_acquire(index, query, now))
    }

    /// Acquires this backend whatever its state, unless it is full.
    fn force_acquire(&self, index: usize, query: &Query<'_>, now: Instant) -> Option<Selected> {
        let member = self.member(index);
        let permit = member.state.permits().acquire()?;
        let lease = member.force_acquire(query.scope, self.tick(now));
        Some(Selected::new(self.clone(), index, query, lease, permit))
    }

    /// Enters the queue of requests that wait for a backend. Requests with the same scope, pinned alike and with the same backends
    /// left to try are let go first in, first out.
    #[must_use]
    pub fn wait(&self, query: &Query<'_>) -> Waiter {
        Waiter::new(self.clone(), query)
    }

    /// Returns true if requests wait for a backend that this one would overtake.
    #[must_use]
    pub fn is_waited_for(&self, query: &Query<'_>) -> bool {
        self.inner
            .queue
            .is_waited_for(query, self.only(query.affinity))
    }

    /// Returns when the first backend opens that may take the request, and whether one is merely full. `None` when the
    /// request has tried all of them. A backend that fails counts if the request has not tried it.
    #[must_use]
    pub fn opening(&self, query: &Query<'_>, now: Instant) -> Option<Opening> {
        let tick = self.tick(now);
        let left = self.reach(query).filter(|&index| !query.has_tried(index));
        let openings = left.map(|index| {
            let member = self.member(index);
            let wait = member.closed_for(query.scope, tick);
            Opening::new(wait, member.is_merely_full(query.scope, tick))
        });
        openings.reduce(Opening::or)
    }

    /// Returns true if [`select`](Self::select) would find a backend now.
    #[must_use]
    pub fn has_candidate(&self, query: &Query<'_>, now: Instant) -> bool {
        if query.resend_to().is_some() {
            return true;
        }
        let tick = self.tick(now);
        let worst = if query.is_open_only {
            Access::Open
        } else {
            Access::LastResort
        };
        self.reach(query)
            .any(|index| !query.has_tried(index) && self.member(index).access(query, tick) <= worst)
    }

    /// Returns when the first backend opens, tried or not, and why that one is closed: for a request that no backend would take.
    /// For one that is [pinned](Affinity::pinned) there is only that backend.
    #[must_use]
    pub fn exhausted(&self, query: &Query<'_>, now: Instant) -> Exhausted {
        let (scope, tick) = (query.scope, self.tick(now));
        let members = &self.inner.members[self.reach(query)];
        let first = members
            .iter()
            .map(|member| (member.closed_for(scope, tick), member))
            .min_by_key(|(closed_for, _)| *closed_for);
        let exhausted = match first {
            Some((wait, member)) if !wait.is_zero() => {
                Exhausted::new(wait, member.cause(scope, tick))
            }
            _ => Exhausted::new(Duration::ZERO, None),
        };
        let mut members = members.iter();
        exhausted.with_full(members.any(|member| member.may_open_sooner(scope, tick)))
    }

    /// Returns the state of every backend as a request of this scope would find it, in the order of the list.
    #[must_use]
    pub fn snapshot(&self, scope: Scope, now: Instant) -> Vec<BackendSnapshot> {
        let tick = self.tick(now);
        let members = self.inner.members.iter();
        members.map(|member| member.snapshot(scope, tick)).collect()
    }

    /// Returns the backends in the order of the list.
    pub fn backends(&self) -> impl ExactSizeIterator<Item = &Backend> {
        self.inner.members.iter().map(|member| &member.backend)
    }

    /// Returns true if a backend gets the clients' own credentials. Then [`Scope::of_client`] tells them apart.
    #[must_use]
    pub fn forwards_credentials(&self) -> bool {
        self.inner.forwards_credentials
    }

    /// Returns true if both are clones of one pool.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Returns true if a backend with a limit of requests in flight has a free permit and is not closed for all scopes.
    fn has_free_permit(&self, now: Instant) -> bool {
        let tick = self.tick(now);
        let mut members = self.inner.members.iter();
        let query = Query::new();
        members.any(|member| {
            member.state.permits().is_limited() && member.access(&query, tick) != Access::Closed
        })
    }

    fn queue(&self) -> &Queue {
        &self.inner.queue
    }

    fn tick(&self, now: Instant) -> Tick {
        Tick::new(now, self.inner.origin)
    }

    fn member(&self, index: usize) -> &Member {
        &self.inner.members[index]
    }

    fn best_priority(&self) -> u32 {
        self.member(self.inner.tiers[0][0]).backend.priority()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.backends()).finish()
    }
}

fn tiers(members: &[Member]) -> Box<[Box<[usize]>]> {
    let priority = |&index: &usize| members[index].backend.priority();
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(priority);
    order
        .chunk_by(|a, b| priority(a) == priority(b))
        .map(Into::into)
        .collect()
}

//! The state of one backend.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use spillover_hint::Dimension;

use super::{
    Cause, Change, Condition, Counts, Recorded, Scope, Silence,
    counts::Counters,
    failing::{Failing, FailingState},
    latency::Latency,
    limits::Limits,
    permits::Permits,
    queue::Queue,
    silence::{LEAST_SILENCE, Silences, Standing},
    throttles::{Closed, Throttles},
    tick::Tick,
};
use crate::{Class, Cooldown, Outcome};

/// The state of a backend in one pool. Pools that have the backend share it, except for the limit of requests in
/// flight.
#[derive(Debug)]
pub(super) struct State {
    shared: Arc<Shared>,
    /// Shared only while the credential is the same.
    health: Arc<Health>,
    permits: Permits,
}

#[derive(Debug, Default)]
struct Shared {
    /// Throttles that the backend has announced, per scope.
    throttles: Throttles,
    limits: Limits,
    latency: Latency,
    counters: Counters,
}

/// The health of the backend, for all scopes. Every request reads it, so it is kept apart from fields that requests write.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Health {
    failing: Failing,
    /// Per scope.
    silences: Silences,
    cause: Mutex<Option<Cause>>,
}

/// The lease that a request has on the backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    scope: Scope,
    failing: FailingState,
    /// The lease of the probe of a suspect backend; zero for none.
    probe: u64,
    begun: Tick,
}

/// The way in which a request may have the backend, the better one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    Open,
    /// Failing or suspect: asked as a last resort.
    LastResort,
    /// Throttled, or full.
    Closed,
}

impl State {
    /// Creates the state of a new backend, which may have this number of requests in flight.
    pub(super) fn new(max_concurrency: Option<NonZeroU32>, queue: &Arc<Queue>) -> Self {
        Self {
            shared: Arc::default(),
            health: Arc::default(),
            permits: Permits::new(max_concurrency, queue),
        }
    }

    /// Shares the state with another pool. With another credential a failing backend is open again, because the old
    /// credential may have been the reason.
    pub(super) fn share(
        &self,
        max_concurrency: Option<NonZeroU32>,
        queue: &Arc<Queue>,
        has_same_credential: bool,
    ) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            health: if has_same_credential {
                Arc::clone(&self.health)
            } else {
                Arc::default()
            },
            permits: self.permits.share(max_concurrency, queue),
        }
    }

    /// Returns the access of a request, without acquiring the backend. `is_retry` returns true if the client has sent
    /// the request before; it is called only if that matters.
    #[inline]
    pub(super) fn access(&self, scope: Scope, now: Tick, is_retry: impl Fn() -> bool) -> Access {
        if self.shared.throttles.until(scope, now).is_some() || self.permits.is_full() {
            return Access::Closed;
        }
        match self.health.failing.state(now) {
            FailingState::Works | FailingState::ProbeDue(_) if !self.health.silences.is_any() => {
                Access::Open
            }
            FailingState::Works | FailingState::ProbeDue(_) => {
                self.access_of_doubted(scope, now, is_retry)
            }
            FailingState::Probe(_) | FailingState::Fails(_) => Access::LastResort,
        }
    }

    #[cold]
    fn access_of_doubted(&self, scope: Scope, now: Tick, is_retry: impl Fn() -> bool) -> Access {
        match self.health.silences.standing(scope, now) {
            Standing::Answers => Access::Open,
            Standing::Suspect(_) => Access::LastResort,
            Standing::Doubted | Standing::ProbeDue(_) if is_retry() => Access::LastResort,
            Standing::Doubted | Standing::ProbeDue(_) => Access::Open,
        }
    }

    /// Acquires the backend with this access, for a request that has a permit. Returns `None` if the access is no
    /// longer given.
    pub(super) fn try_acquire(&self, scope: Scope, access: Access, now: Tick) -> Option<Lease> {
        let is_last_resort = access == Access::LastResort;
        let failing = self.health.failing.state(now);
        if !is_last_resort && matches!(failing, FailingState::Fails(_)) {
            return None;
        }
        let mut probe = 0;
        if self.health.silences.is_any() {
            probe = self.take_probe(scope, is_last_resort, now)?;
        }
        match self.health.failing.try_acquire(failing, now) {
            Some(failing) => Some(self.lease(scope, failing, probe, now)),
            // A request may have the backend as a last resort without being its probe.
            None if is_last_resort => Some(self.lease(scope, failing, probe, now)),
            None => {
                self.health.silences.release(scope, probe, now);
                None
            }
        }
    }

    /// Returns the lease of the probe of a suspect backend, or zero if it needs none. Returns `None` if another request
    /// has the probe.
    #[cold]
    fn take_probe(&self, scope: Scope, is_last_resort: bool, now: Tick) -> Option<u64> {
        let lease = match self.health.silences.standing(scope, now) {
            Standing::Answers | Standing::Doubted => return Some(0),
            Standing::ProbeDue(due) => self.health.silences.take_probe(scope, due, now),
            Standing::Suspect(_) => None,
        };
        lease.or(is_last_resort.then_some(0))
    }

    fn lease(&self, scope: Scope, failing: FailingState, probe: u64, now: Tick) -> Lease {
        self.shared.throttles.begin(scope, now);
        Lease {
            scope,
            failing,
            probe,
            begun: now,
        }
    }

    pub(super) fn permits(&self) -> &Permits {
        &self.permits
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.permits.count()
    }

    /// Returns the average latency of the latest responses that were served.
    pub(super) fn average_latency(&self) -> Option<Duration> {
        self.shared.latency.average()
    }

    pub(super) fn latency(&self, now: Tick) -> Option<Duration> {
        self.shared.latency.read(now)
    }

    /// Returns the latency for a request with this lease. `None` while the latest attempts of its scope were given up.
    pub(super) fn latency_at(&self, lease: Lease, now: Tick) -> Option<Duration> {
        let standing = self.health.silences.standing(lease.scope, now);
        let latency = || self.latency(now);
        (standing == Standing::Answers).then(latency).flatten()
    }

    /// Returns the number of scopes for which the backend is throttled.
    pub(super) fn throttled_scopes(&self, now: Tick) -> usize {
        self.shared.throttles.count(now)
    }

    /// Returns the time and the cause of the throttle of the scope that opens last.
    pub(super) fn longest_throttle(&self, now: Tick) -> Option<(Duration, Cause)> {
        let (until, cause) = self.shared.throttles.longest(now)?;
        Some((now.until(until.get()), cause))
    }

    /// Acquires the backend whatever its state, without being its probe.
    pub(super) fn force_acquire(&self, scope: Scope, now: Tick) -> Lease {
        self.lease(scope, self.health.failing.state(now), 0, now)
    }

    /// Records the outcome of an attempt whose request had this lease.
    pub(super) fn record(&self, lease: Lease, outcome: &Outcome, now: Tick) -> Recorded {
        self.shared.counters.add(outcome.class());
        match outcome.class() {
            Class::Success => self.shared.latency.served(lease.begun, now),
            _ => self.shared.latency.not_served(lease.begun, now),
        }
        self.apply(lease, outcome, now)
    }

    /// Adds details to a recorded refusal that became known later. Nothing is counted again.
    #[cold]
    pub(super) fn amend(&self, lease: Lease, outcome: &Outcome, now: Tick) -> Recorded {
        self.apply(lease, outcome, now)
    }

    // Every request gets here from `record`, and hardly any from `amend`.
    #[inline(always)]
    fn apply(&self, lease: Lease, outcome: &Outcome, now: Tick) -> Recorded {
        if outcome.class() == Class::Unprocessed {
            // The outcome says nothing about the backend. After a probe, the next request can probe.
            self.health.failing.release(lease.failing, now);
            self.health.silences.release(lease.scope, lease.probe, now);
            return Recorded::new(None, None);
        }
        if let (Class::Capacity | Class::Failing | Class::Credential, Some(cooldown)) =
            (outcome.class(), outcome.cooldown())
        {
            // A timeout is no response, and is recorded as a failure, too. A silence goes on.
            *self.health.cause() = Some(Cause::from_outcome(outcome));
            let until = now.after(cooldown.duration());
            let change = self.health.failing.failed(lease.failing, until);
            return Recorded::new(change, Some(self.health.failing.closed_for(now)));
        }
        let was_failing = self.health.failing.answered(lease.failing);
        let was_suspect = self.health.silences.answered(lease.scope);
        let opened = was_failing.or(was_suspect.then_some(Change::Opened));
        if outcome.class() == Class::Success {
            self.shared.throttles.served(lease.scope, lease.begun);
        }
        // A success may be the last that the backend takes for a time.
        let closed = match (outcome.class(), outcome.cooldown()) {
            (Class::Throttled | Class::Quota | Class::Success, Some(cooldown)) => {
                self.close(lease, &cooldown, Cause::from_outcome(outcome), now)
            }
            _ => return Recorded::new(opened, None),
        };
        let change = closed.was_open.then_some(Change::Closed).or(opened);
        Recorded::new(change, Some(closed.wait))
    }

    fn close(&self, lease: Lease, cooldown: &Cooldown, cause: Cause, now: Tick) -> Closed {
        let throttles = &self.shared.throttles;
        throttles.close(lease.scope, cooldown, cause, lease.begun, now)
    }

    /// Counts an attempt that sends a request to the backend once more.
    pub(super) fn record_resent(&self) {
        self.shared.counters.add_resent();
    }

    /// Returns true if a refusal of the request with this lease would follow on an obeyed wait.
    pub(super) fn has_obeyed(&self, lease: Lease, now: Tick) -> bool {
        self.shared
            .throttles
            .is_unproven(lease.scope, lease.begun, now)
    }

    pub(super) fn is_limit_due(&self, now: Tick) -> bool {
        self.shared.limits.is_due(now)
    }

    /// Records a limit that applies to a request with this lease. Returns the one before, if that was higher.
    pub(super) fn record_limit(
        &self,
        lease: Lease,
        dimension: Dimension,
        limit: u64,
    ) -> Option<u64> {
        self.shared.limits.record(lease.scope, dimension, limit)
    }

    /// Ends a lease whose attempt was given up.
    pub(super) fn cancel(&self, lease: Lease, now: Tick) {
        self.shared.counters.add_cancelled();
        self.shared.latency.not_served(lease.begun, now);
        self.health.failing.release(lease.failing, now);
        self.health.silences.release(lease.scope, lease.probe, now);
    }

    /// Ends a lease whose attempt was given up before a response began. Returns the silence if that makes the backend
    /// suspect.
    pub(super) fn give_up(&self, lease: Lease, now: Tick) -> Option<Silence> {
        let is_long = lease.begun.after(LEAST_SILENCE) <= now;
        self.cancel(lease, now);
        let silences = &self.health.silences;
        let silence = is_long.then(|| silences.given_up(lease.scope, lease.begun, now));
        silence.flatten()
    }

    /// Returns the number of scopes for which the backend is suspect, and the longest silence of these.
    pub(super) fn suspect_scopes(&self, now: Tick) -> (usize, Option<Silence>) {
        self.health.silences.suspect(now)
    }

    pub(super) fn record_broken(&self) {
        self.shared.counters.add_broken();
    }

    /// Returns the refusal that closes the backend for requests of this scope, if there is one.
    pub(super) fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        match self.condition(scope, now) {
            Condition::Open | Condition::Full | Condition::Suspect(_) => None,
            Condition::Throttled(_) => self.shared.throttles.cause(scope, now),
            Condition::Failing(_) => self.health.cause().clone(),
        }
    }

    /// Returns the condition for requests of this scope. A backend that is throttled and failing counts as throttled:
    /// after the throttle it is available as a last resort.
    pub(super) fn condition(&self, scope: Scope, now: Tick) -> Condition {
        if let Some(until) = self.shared.throttles.until(scope, now) {
            return Condition::Throttled(now.until(until.get()));
        }
        if self.health.failing.state(now) != FailingState::Works {
            return Condition::Failing(self.health.failing.closed_for(now));
        }
        match self.health.silences.suspect_for(scope, now) {
            Some(wait) => Condition::Suspect(wait),
            None if self.permits.is_full() => Condition::Full,
            None => Condition::Open,
        }
    }

    /// Returns the time until requests of this scope may have the backend. If only a permit is missing, that is an estimate.
    pub(super) fn closed_for(&self, scope: Scope, now: Tick) -> Duration {
        match self.condition(scope, now) {
            Condition::Open => Duration::ZERO,
            Condition::Throttled(wait) => wait,
            Condition::Failing(wait) | Condition::Suspect(wait) if self.permits.is_full() => {
                wait.max(PLACE_GUESS)
            }
            Condition::Failing(wait) | Condition::Suspect(wait) => wait,
            Condition::Full => PLACE_GUESS,
        }
    }

    /// Returns true if the backend is full, and nothing else keeps a request of this scope from it.
    pub(super) fn may_open_sooner(&self, scope: Scope, now: Tick) -> bool {
        self.permits.is_full() && self.shared.throttles.until(scope, now).is_none()
    }

    pub(super) fn counts(&self) -> Counts {
        self.shared.counters.read()
    }
}

impl Health {
    fn cause(&self) -> MutexGuard<'_, Option<Cause>> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn is_probe(&self) -> bool {
        self.probe != 0 || matches!(self.failing, FailingState::Probe(_))
    }
}

/// The estimated time until a full backend has a free permit, for the hint to clients. Responses take between a
/// fraction of a second and a minute. A second is soon enough, and a client does not come back in vain too often. A
/// request that waits in the queue is woken by the permit itself.
const PLACE_GUESS: Duration = Duration::from_secs(1);

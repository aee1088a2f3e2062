//! What is known about one backend.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use spillover_hint::Dimension;

use super::{
    Cause, Change, Condition, Counts, Recorded, Scope, Silence,
    counts::Counters,
    failing::{Failing, Health},
    latency::Latency,
    limits::Limits,
    places::Places,
    queue::Queue,
    silence::{LEAST_SILENCE, Silences, Standing},
    throttles::{Closed, Throttles},
    tick::Tick,
};
use crate::{Class, Cooldown, Outcome};

/// Shared by the pools that have the backend, but for its limit of requests in flight.
#[derive(Debug)]
pub(super) struct State {
    known: Arc<Known>,
    /// Shared only while the credential is the same.
    guess: Arc<Guess>,
    places: Places,
}

#[derive(Debug, Default)]
struct Known {
    /// Promises of the backend, per scope.
    throttles: Throttles,
    limits: Limits,
    latency: Latency,
    counters: Counters,
}

/// A guess about the backend, for all scopes. Every request reads it: it keeps apart from what others write.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Guess {
    failing: Failing,
    /// Per scope.
    silences: Silences,
    cause: Mutex<Option<Cause>>,
}

/// A request's hold on the backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    scope: Scope,
    health: Health,
    /// The lease of the probe of a suspect backend; zero for none.
    probe: u64,
    begun: Tick,
}

/// In what way a request may have the backend, the better one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    Open,
    /// Failing or suspect: to be had as a last resort.
    LastResort,
    /// Throttled, or full.
    Closed,
}

impl State {
    /// Of a backend that nothing is known of, and that has at most so many requests in flight.
    pub(super) fn new(max_concurrency: Option<NonZeroU32>, queue: &Arc<Queue>) -> Self {
        Self {
            known: Arc::default(),
            guess: Arc::default(),
            places: Places::new(max_concurrency, queue),
        }
    }

    /// The same for another pool. With another credential it is not guessed to fail: that may have been the fault of this one.
    pub(super) fn share(
        &self,
        max_concurrency: Option<NonZeroU32>,
        queue: &Arc<Queue>,
        has_same_credential: bool,
    ) -> Self {
        Self {
            known: Arc::clone(&self.known),
            guess: if has_same_credential {
                Arc::clone(&self.guess)
            } else {
                Arc::default()
            },
            places: self.places.share(max_concurrency, queue),
        }
    }

    /// `is_retry` tells whether the client has sent the request before. The closure is called only if that matters.
    #[inline]
    pub(super) fn access(&self, scope: Scope, now: Tick, is_retry: impl Fn() -> bool) -> Access {
        if self.known.throttles.until(scope, now).is_some() || self.places.is_full() {
            return Access::Closed;
        }
        match self.guess.failing.health(now) {
            Health::Works | Health::ProbeDue(_) if !self.guess.silences.is_any() => Access::Open,
            Health::Works | Health::ProbeDue(_) => self.access_of_doubted(scope, now, is_retry),
            Health::Probe(_) | Health::Fails(_) => Access::LastResort,
        }
    }

    #[cold]
    fn access_of_doubted(&self, scope: Scope, now: Tick, is_retry: impl Fn() -> bool) -> Access {
        match self.guess.silences.standing(scope, now) {
            Standing::Answers => Access::Open,
            Standing::Suspect(_) => Access::LastResort,
            Standing::Doubted | Standing::ProbeDue(_) if is_retry() => Access::LastResort,
            Standing::Doubted | Standing::ProbeDue(_) => Access::Open,
        }
    }

    /// Takes the backend for a request that has a place there and may have it so; `None` when that is no longer true.
    pub(super) fn take(&self, scope: Scope, access: Access, now: Tick) -> Option<Claim> {
        let is_last_resort = access == Access::LastResort;
        let health = self.guess.failing.health(now);
        if !is_last_resort && matches!(health, Health::Fails(_)) {
            return None;
        }
        let mut probe = 0;
        if self.guess.silences.is_any() {
            probe = self.take_probe(scope, is_last_resort, now)?;
        }
        match self.guess.failing.take(health, now) {
            Some(health) => Some(self.claim(scope, health, probe, now)),
            // As a last resort it is to be had without being its probe.
            None if is_last_resort => Some(self.claim(scope, health, probe, now)),
            None => {
                self.guess.silences.release(scope, probe, now);
                None
            }
        }
    }

    /// The lease of the probe of a suspect backend, zero when it needs none; `None` when another request has it.
    #[cold]
    fn take_probe(&self, scope: Scope, is_last_resort: bool, now: Tick) -> Option<u64> {
        let lease = match self.guess.silences.standing(scope, now) {
            Standing::Answers | Standing::Doubted => return Some(0),
            Standing::ProbeDue(due) => self.guess.silences.take_probe(scope, due, now),
            Standing::Suspect(_) => None,
        };
        lease.or(is_last_resort.then_some(0))
    }

    fn claim(&self, scope: Scope, health: Health, probe: u64, now: Tick) -> Claim {
        self.known.throttles.begin(scope, now);
        Claim {
            scope,
            health,
            probe,
            begun: now,
        }
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.places.count()
    }

    pub(super) fn latency(&self, now: Tick) -> Option<Duration> {
        self.known.latency.read(now)
    }

    /// The same for a request that has this claim; `None` while the latest attempts of its scope were given up.
    pub(super) fn latency_at(&self, claim: Claim, now: Tick) -> Option<Duration> {
        let standing = self.guess.silences.standing(claim.scope, now);
        let latency = || self.latency(now);
        (standing == Standing::Answers).then(latency).flatten()
    }

    /// For how many scopes it is throttled.
    pub(super) fn throttled_scopes(&self, now: Tick) -> usize {
        self.known.throttles.count(now)
    }

    /// For how long and why it is throttled for the scope that opens last.
    pub(super) fn longest_throttle(&self, now: Tick) -> Option<(Duration, Cause)> {
        let (until, cause) = self.known.throttles.longest(now)?;
        Some((now.until(until.get()), cause))
    }

    /// Holds the backend whatever its state, without being its probe.
    pub(super) fn hold(&self, scope: Scope, now: Tick) -> Claim {
        self.claim(scope, self.guess.failing.health(now), 0, now)
    }

    /// Notes how the attempt of a request that had this claim went.
    pub(super) fn record(&self, claim: Claim, outcome: &Outcome, now: Tick) -> Recorded {
        self.known.counters.add(outcome.class());
        match outcome.class() {
            Class::Success => self.known.latency.served(claim.begun, now),
            _ => self.known.latency.not_served(claim.begun, now),
        }
        self.apply(claim, outcome, now)
    }

    /// Adds to a refusal that was recorded what was learnt of it since: nothing is counted again.
    #[cold]
    pub(super) fn amend(&self, claim: Claim, outcome: &Outcome, now: Tick) -> Recorded {
        self.apply(claim, outcome, now)
    }

    // Every request comes here from `record`, and hardly any from `amend`.
    #[inline(always)]
    fn apply(&self, claim: Claim, outcome: &Outcome, now: Tick) -> Recorded {
        if outcome.class() == Class::Unprocessed {
            // Nothing was learned: where it was a probe, the next request can probe in its place.
            self.guess.failing.release(claim.health, now);
            self.guess.silences.release(claim.scope, claim.probe, now);
            return Recorded::new(None, None);
        }
        if let (Class::Capacity | Class::Failing | Class::Credential, Some(cooldown)) =
            (outcome.class(), outcome.cooldown())
        {
            // A timeout is no answer, and comes as a failure as well: a silence goes on.
            *self.guess.cause() = Some(Cause::of(outcome));
            let until = now.after(cooldown.duration());
            let change = self.guess.failing.failed(claim.health, until);
            return Recorded::new(change, Some(self.guess.failing.closed_for(now)));
        }
        let was_failing = self.guess.failing.answered(claim.health);
        let was_suspect = self.guess.silences.answered(claim.scope);
        let opened = was_failing.or(was_suspect.then_some(Change::Opened));
        if outcome.class() == Class::Success {
            self.known.throttles.served(claim.scope, claim.begun);
        }
        // A success may be the last that the backend takes for a time.
        let closed = match (outcome.class(), outcome.cooldown()) {
            (Class::Throttled | Class::Quota | Class::Success, Some(cooldown)) => {
                self.close(claim, &cooldown, Cause::of(outcome), now)
            }
            _ => return Recorded::new(opened, None),
        };
        let change = closed.was_open.then_some(Change::Closed).or(opened);
        Recorded::new(change, Some(closed.wait))
    }

    fn close(&self, claim: Claim, cooldown: &Cooldown, cause: Cause, now: Tick) -> Closed {
        let throttles = &self.known.throttles;
        throttles.close(claim.scope, cooldown, cause, claim.begun, now)
    }

    /// Counts an attempt that sends a request to the backend once more.
    pub(super) fn record_resent(&self) {
        self.known.counters.add_resent();
    }

    /// Whether a refusal of the request that has this claim would follow on one whose wait was obeyed.
    pub(super) fn has_obeyed(&self, claim: Claim, now: Tick) -> bool {
        self.known
            .throttles
            .is_unproven(claim.scope, claim.begun, now)
    }

    pub(super) fn is_limit_due(&self, now: Tick) -> bool {
        self.known.limits.is_due(now)
    }

    /// Notes a limit that applies to a request with this claim; the one before, if that was higher.
    pub(super) fn record_limit(
        &self,
        claim: Claim,
        dimension: Dimension,
        limit: u64,
    ) -> Option<u64> {
        self.known.limits.note(claim.scope, dimension, limit)
    }

    /// Takes back a claim whose attempt was given up.
    pub(super) fn cancel(&self, claim: Claim, now: Tick) {
        self.known.counters.add_cancelled();
        self.known.latency.not_served(claim.begun, now);
        self.guess.failing.release(claim.health, now);
        self.guess.silences.release(claim.scope, claim.probe, now);
    }

    /// The same for one that waited for an answer in vain. Returns the silence if that makes the backend suspect.
    pub(super) fn give_up(&self, claim: Claim, now: Tick) -> Option<Silence> {
        let is_long = claim.begun.after(LEAST_SILENCE) <= now;
        self.cancel(claim, now);
        let silences = &self.guess.silences;
        let silence = is_long.then(|| silences.given_up(claim.scope, claim.begun, now));
        silence.flatten()
    }

    /// For how many scopes the backend is suspect, and the longest silence of these.
    pub(super) fn suspect_scopes(&self, now: Tick) -> (usize, Option<Silence>) {
        self.guess.silences.suspect(now)
    }

    pub(super) fn record_broken(&self) {
        self.known.counters.add_broken();
    }

    /// Why requests of this scope may not have the backend, if it is for a refusal.
    pub(super) fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        match self.condition(scope, now) {
            Condition::Open | Condition::Full | Condition::Suspect(_) => None,
            Condition::Throttled(_) => self.known.throttles.cause(scope, now),
            Condition::Failing(_) => self.guess.cause().clone(),
        }
    }

    /// One that is throttled as well as failing is throttled: when that is over it is to be had, as a last resort.
    pub(super) fn condition(&self, scope: Scope, now: Tick) -> Condition {
        if let Some(until) = self.known.throttles.until(scope, now) {
            return Condition::Throttled(now.until(until.get()));
        }
        if self.guess.failing.health(now) != Health::Works {
            return Condition::Failing(self.guess.failing.closed_for(now));
        }
        match self.guess.silences.suspect_for(scope, now) {
            Some(wait) => Condition::Suspect(wait),
            None if self.places.is_full() => Condition::Full,
            None => Condition::Open,
        }
    }

    /// How long until requests of this scope may have the backend. Where only its places are missing, that is a guess.
    pub(super) fn closed_for(&self, scope: Scope, now: Tick) -> Duration {
        match self.condition(scope, now) {
            Condition::Open => Duration::ZERO,
            Condition::Throttled(wait) => wait,
            Condition::Failing(wait) | Condition::Suspect(wait) if self.places.is_full() => {
                wait.max(PLACE_GUESS)
            }
            Condition::Failing(wait) | Condition::Suspect(wait) => wait,
            Condition::Full => PLACE_GUESS,
        }
    }

    /// Whether it is full, and nothing else keeps a request of this scope from it.
    pub(super) fn may_open_sooner(&self, scope: Scope, now: Tick) -> bool {
        self.places.is_full() && self.known.throttles.until(scope, now).is_none()
    }

    pub(super) fn counts(&self) -> Counts {
        self.known.counters.read()
    }
}

impl Guess {
    fn cause(&self) -> MutexGuard<'_, Option<Cause>> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    pub(super) fn is_probe(&self) -> bool {
        self.probe != 0 || matches!(self.health, Health::Probe(_))
    }
}

/// When a place gets free is not known: requests are answered in a fraction of a second and in a minute. A second is soon
/// enough for a client to be told, and not so soon that it comes back in vain many times. Who waits here is woken by the
/// place itself.
const PLACE_GUESS: Duration = Duration::from_secs(1);

//! What is known about one backend.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use spillover_hint::Dimension;

use super::{
    Cause, Change, Condition, Counts, Scope,
    counts::Counters,
    failing::{Failing, Health},
    freed::Bell,
    latency::Latency,
    limits::Limits,
    places::Places,
    throttles::Throttles,
    tick::Tick,
};
use crate::{Class, Outcome};

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
    cause: Mutex<Option<Cause>>,
}

/// A request's hold on the backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    scope: Scope,
    health: Health,
    begun: Tick,
}

/// In what way a request may have the backend, the better one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    Open,
    /// Failing: to be had as a last resort.
    LastResort,
    /// Throttled, or full.
    Closed,
}

impl State {
    /// Of a backend that nothing is known of, and that has at most so many requests in flight.
    pub(super) fn new(max_concurrency: Option<NonZeroU32>, bell: &Arc<Bell>) -> Self {
        Self {
            known: Arc::default(),
            guess: Arc::default(),
            places: Places::new(max_concurrency, bell),
        }
    }

    /// The same for another pool. With another credential it is not guessed to fail: that may have been the fault of this one.
    pub(super) fn share(
        &self,
        max_concurrency: Option<NonZeroU32>,
        bell: &Arc<Bell>,
        has_same_credential: bool,
    ) -> Self {
        Self {
            known: Arc::clone(&self.known),
            guess: if has_same_credential {
                Arc::clone(&self.guess)
            } else {
                Arc::default()
            },
            places: self.places.share(max_concurrency, bell),
        }
    }

    pub(super) fn access(&self, scope: Scope, now: Tick) -> Access {
        if self.known.throttles.until(scope, now).is_some() || self.places.is_full() {
            return Access::Closed;
        }
        match self.guess.failing.health(now) {
            Health::Works | Health::ProbeDue(_) => Access::Open,
            Health::Probe(_) | Health::Fails(_) => Access::LastResort,
        }
    }

    /// Takes the backend for a request that has a place there and may have it so; `None` when that is no longer true.
    pub(super) fn take(&self, scope: Scope, access: Access, now: Tick) -> Option<Claim> {
        let health = self.guess.failing.health(now);
        if access == Access::Open && matches!(health, Health::Fails(_)) {
            return None;
        }
        match self.guess.failing.take(health, now) {
            Some(health) => Some(Claim::new(scope, health, now)),
            // As a last resort it is to be had without being its probe.
            None if access == Access::LastResort => Some(self.hold(scope, now)),
            None => None,
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
        Claim::new(scope, self.guess.failing.health(now), now)
    }

    /// Notes how the attempt of a request that had this claim went.
    pub(super) fn record(&self, claim: Claim, outcome: &Outcome, now: Tick) -> Option<Change> {
        self.known.counters.add(outcome.class());
        match outcome.class() {
            Class::Success => self.known.latency.served(claim.begun, now),
            _ => self.known.latency.not_served(claim.begun, now),
        }
        self.amend(claim, outcome, now)
    }

    /// Notes an outcome that is counted already.
    pub(super) fn amend(&self, claim: Claim, outcome: &Outcome, now: Tick) -> Option<Change> {
        let cause = || Cause::of(outcome);
        match (outcome.class(), outcome.cooldown()) {
            (Class::Throttled | Class::Quota, Some(cooldown)) => {
                let opened = self.guess.failing.answered(claim.health);
                let throttles = &self.known.throttles;
                let was_open = throttles.close(claim.scope, &cooldown, cause(), claim.begun, now);
                was_open.then_some(Change::Closed).or(opened)
            }
            (Class::Capacity | Class::Failing | Class::Credential, Some(cooldown)) => {
                *self.guess.cause() = Some(cause());
                let until = now.after(cooldown.duration());
                self.guess.failing.failed(claim.health, until)
            }
            (Class::Success, spent) => {
                let opened = self.guess.failing.answered(claim.health);
                self.known.throttles.served(claim.scope, claim.begun);
                let Some(cooldown) = spent else { return opened };
                let throttles = &self.known.throttles;
                let was_open = throttles.close(claim.scope, &cooldown, cause(), claim.begun, now);
                was_open.then_some(Change::Closed).or(opened)
            }
            (Class::Unprocessed, _) => {
                // Nothing was learned: where it was a probe, the next request can probe in its place.
                self.guess.failing.release(claim.health, now);
                None
            }
            _ => self.guess.failing.answered(claim.health),
        }
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
    pub(super) fn note_limit(&self, claim: Claim, dimension: Dimension, limit: u64) -> Option<u64> {
        self.known.limits.note(claim.scope, dimension, limit)
    }

    /// Takes back a claim whose attempt was given up.
    pub(super) fn cancel(&self, claim: Claim, now: Tick) {
        self.known.counters.add_cancelled();
        self.known.latency.not_served(claim.begun, now);
        self.guess.failing.release(claim.health, now);
    }

    pub(super) fn record_broken(&self) {
        self.known.counters.add_broken();
    }

    /// Why requests of this scope may not have the backend, if it is for a refusal.
    pub(super) fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        match self.condition(scope, now) {
            Condition::Open | Condition::Full => None,
            Condition::Throttled(_) => self.known.throttles.cause(scope, now),
            Condition::Failing(_) => self.guess.cause().clone(),
        }
    }

    /// One that is throttled as well as failing is throttled: when that is over it is to be had, as a last resort.
    pub(super) fn condition(&self, scope: Scope, now: Tick) -> Condition {
        if let Some(until) = self.known.throttles.until(scope, now) {
            return Condition::Throttled(now.until(until.get()));
        }
        match self.guess.failing.health(now) {
            Health::Works if self.places.is_full() => Condition::Full,
            Health::Works => Condition::Open,
            _ => Condition::Failing(self.guess.failing.closed_for(now)),
        }
    }

    /// How long until requests of this scope may have the backend. Where only its places are missing, that is a guess.
    pub(super) fn closed_for(&self, scope: Scope, now: Tick) -> Duration {
        match self.condition(scope, now) {
            Condition::Open => Duration::ZERO,
            Condition::Throttled(wait) => wait,
            Condition::Failing(wait) if self.places.is_full() => wait.max(PLACE_GUESS),
            Condition::Failing(wait) => wait,
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
    fn new(scope: Scope, health: Health, begun: Tick) -> Self {
        Self {
            scope,
            health,
            begun,
        }
    }

    pub(super) fn is_probe(&self) -> bool {
        matches!(self.health, Health::Probe(_))
    }
}

/// When a place gets free is not known: requests are answered in a fraction of a second and in a minute. A second is soon
/// enough for a client to be told, and not so soon that it comes back in vain many times. Who waits here is woken by the
/// place itself.
const PLACE_GUESS: Duration = Duration::from_secs(1);

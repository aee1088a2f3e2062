//! What is known about one backend.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use spillover_hint::Dimension;

use super::{
    Cause, Change, Condition, Counts, Scope,
    counts::Counters,
    failing::{Failing, Health},
    limits::Limits,
    throttles::Throttles,
    tick::Tick,
};
use crate::{Class, Outcome};

#[derive(Debug, Default)]
pub(super) struct State {
    /// Promises of the backend, per scope.
    throttles: Throttles,
    /// A guess about it, for all scopes.
    failing: Failing,
    failing_cause: Mutex<Option<Cause>>,
    limits: Limits,
    counters: Counters,
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
    Throttled,
}

impl State {
    pub(super) fn access(&self, scope: Scope, now: Tick) -> Access {
        if self.throttles.until(scope, now).is_some() {
            return Access::Throttled;
        }
        match self.failing.health(now) {
            Health::Works | Health::ProbeDue(_) => Access::Open,
            Health::Probe(_) | Health::Fails(_) => Access::LastResort,
        }
    }

    /// Takes the backend for a request that may have it so; `None` when that is no longer true.
    pub(super) fn take(&self, scope: Scope, access: Access, now: Tick) -> Option<Claim> {
        let health = self.failing.health(now);
        if access == Access::Open && matches!(health, Health::Fails(_)) {
            return None;
        }
        let health = self.failing.take(health, now)?;
        Some(Claim::new(scope, health, now))
    }

    /// Holds the backend whatever its state, without being its probe.
    pub(super) fn hold(&self, scope: Scope, now: Tick) -> Claim {
        Claim::new(scope, self.failing.health(now), now)
    }

    /// Notes how the attempt of a request that had this claim went.
    pub(super) fn record(&self, claim: Claim, outcome: &Outcome, now: Tick) -> Option<Change> {
        self.counters.add(outcome.class());
        let cause = || Cause::of(outcome);
        match (outcome.class(), outcome.cooldown()) {
            (Class::Throttled | Class::Quota, Some(cooldown)) => {
                let opened = self.failing.answered(claim.health);
                let throttles = &self.throttles;
                let was_open = throttles.close(claim.scope, &cooldown, cause(), claim.begun, now);
                was_open.then_some(Change::Closed).or(opened)
            }
            (Class::Capacity | Class::Failing | Class::Credential, Some(cooldown)) => {
                *self.failing_cause() = Some(cause());
                let until = now.after(cooldown.duration());
                self.failing.failed(claim.health, until)
            }
            (Class::Success, spent) => {
                let opened = self.failing.answered(claim.health);
                self.throttles.served(claim.scope, claim.begun);
                let Some(cooldown) = spent else { return opened };
                let throttles = &self.throttles;
                let was_open = throttles.close(claim.scope, &cooldown, cause(), claim.begun, now);
                was_open.then_some(Change::Closed).or(opened)
            }
            _ => self.failing.answered(claim.health),
        }
    }

    /// Whether a refusal of the request that has this claim would follow on one whose wait was obeyed.
    pub(super) fn has_obeyed(&self, claim: Claim, now: Tick) -> bool {
        self.throttles.is_unproven(claim.scope, claim.begun, now)
    }

    pub(super) fn is_limit_due(&self, now: Tick) -> bool {
        self.limits.is_due(now)
    }

    /// Notes a limit that applies to a request with this claim; the one before, if that was higher.
    pub(super) fn note_limit(&self, claim: Claim, dimension: Dimension, limit: u64) -> Option<u64> {
        self.limits.note(claim.scope, dimension, limit)
    }

    /// Takes back a claim whose attempt was given up.
    pub(super) fn cancel(&self, claim: Claim, now: Tick) {
        self.counters.add_cancelled();
        self.failing.release(claim.health, now);
    }

    pub(super) fn record_broken(&self) {
        self.counters.add_broken();
    }

    /// How long until requests of this scope may have the backend: where it is throttled as well as failing, as a last
    /// resort.
    pub(super) fn closed_for(&self, scope: Scope, now: Tick) -> Duration {
        match self.throttles.until(scope, now) {
            Some(until) => now.until(until.get()),
            None => self.failing.closed_for(now),
        }
    }

    /// Why requests of this scope may not have the backend.
    pub(super) fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        let failing = || self.failing_cause().clone();
        self.throttles.cause(scope, now).or_else(failing)
    }

    pub(super) fn condition(&self, scope: Scope, now: Tick) -> Condition {
        match self.access(scope, now) {
            Access::Throttled => Condition::Throttled(self.closed_for(scope, now)),
            _ => match self.failing.health(now) {
                Health::Works => Condition::Open,
                _ => Condition::Failing(self.closed_for(scope, now)),
            },
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counters.read()
    }

    fn failing_cause(&self) -> MutexGuard<'_, Option<Cause>> {
        let guard = self.failing_cause.lock();
        guard.unwrap_or_else(PoisonError::into_inner)
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

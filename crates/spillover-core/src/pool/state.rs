//! What is known about one backend: two deadlines, changed without locks.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::{Change, Condition};
use crate::{Class, Outcome};

/// Each deadline stands alone and nothing else is published through it: relaxed order is enough.
#[derive(Debug, Default)]
pub(super) struct State {
    /// A promise of the backend: it takes requests again at this tick. Zero: it made none.
    throttled_until: AtomicU64,
    /// Zero: it works. Else it failed, and from this tick on one request may probe it; taking the probe moves the
    /// deadline on by [`PROBE_LEASE`], so that no other request does.
    failing_until: AtomicU64,
    /// The deadline that the latest probe set. As long as it is the one in force, no failure was noted since.
    lease: AtomicU64,
}

/// Nanoseconds, counted so that the pool was built at [`Tick::ORIGIN`]. Never zero, which means "no deadline".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

/// In what way a request may have a backend. The number is the value of `failing_until` that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Open,
    /// The failing deadline is over: the one who moves it on is the probe.
    ProbeDue(u64),
    Probe(u64),
    /// Failing, and not due: to be had as a last resort.
    Failing(u64),
    Throttled,
}

impl State {
    /// In what way a request may have the backend now.
    pub(super) fn claim(&self, now: Tick) -> Claim {
        if self.throttled_until.load(Relaxed) > now.0 {
            return Claim::Throttled;
        }
        match self.failing_until.load(Relaxed) {
            0 => Claim::Open,
            until if until <= now.0 => Claim::ProbeDue(until),
            until => Claim::Failing(until),
        }
    }

    /// Takes the backend for a request; `None` when another request took the probe first.
    pub(super) fn take(&self, claim: Claim, now: Tick) -> Option<Claim> {
        let Claim::ProbeDue(due) = claim else {
            return Some(claim);
        };
        let lease = now.after(PROBE_LEASE).0;
        if !self.replace_failing(due, lease) {
            return None;
        }
        self.lease.store(lease, Relaxed);
        Some(Claim::Probe(lease))
    }

    /// Notes how the attempt of a request that had the backend by this claim went.
    pub(super) fn record(&self, claim: Claim, outcome: &Outcome, now: Tick) -> Option<Change> {
        let cooldown = outcome
            .cooldown()
            .map_or(Duration::ZERO, |cooldown| cooldown.duration());
        let until = now.after(cooldown);
        match outcome.class() {
            Class::Throttled => {
                let opened = self.answered(claim);
                let before = self.throttled_until.fetch_max(until.0, Relaxed);
                (before <= now.0).then_some(Change::Closed).or(opened)
            }
            Class::Failing | Class::Credential => self.failed(claim, until),
            Class::Success | Class::ClientError => self.answered(claim),
        }
    }

    /// Gives back a claim whose attempt has no outcome.
    pub(super) fn release(&self, claim: Claim, now: Tick) {
        if let Claim::Probe(lease) = claim {
            self.replace_failing(lease, now.0);
        }
    }

    /// How long until the backend takes requests again.
    pub(super) fn closed_for(&self, now: Tick) -> Duration {
        let throttled = self.throttled_until.load(Relaxed);
        now.until(throttled.max(self.failing_until.load(Relaxed)))
    }

    pub(super) fn condition(&self, now: Tick) -> Condition {
        match self.claim(now) {
            Claim::Open => Condition::Open,
            Claim::Throttled => Condition::Throttled(self.closed_for(now)),
            Claim::ProbeDue(_) | Claim::Probe(_) | Claim::Failing(_) => {
                Condition::Failing(self.closed_for(now))
            }
        }
    }

    /// An answer proves that the backend works only if it was asked after it failed: the claim of such a request holds
    /// the deadline it saw.
    fn answered(&self, claim: Claim) -> Option<Change> {
        let seen = match claim {
            // Its lease may be over: then it is that of another probe, which need not be waited for.
            Claim::Probe(_) => self.lease.load(Relaxed),
            Claim::ProbeDue(seen) | Claim::Failing(seen) => seen,
            Claim::Open | Claim::Throttled => return None,
        };
        self.replace_failing(seen, 0).then_some(Change::Opened)
    }

    fn failed(&self, claim: Claim, until: Tick) -> Option<Change> {
        // The lease of a probe is no word about the backend: its outcome replaces it, even by less.
        if let Claim::Probe(lease) = claim
            && self.replace_failing(lease, until.0)
        {
            return None;
        }
        let before = self.failing_until.fetch_max(until.0, Relaxed);
        (before == 0).then_some(Change::Closed)
    }

    fn replace_failing(&self, seen: u64, new: u64) -> bool {
        let replaced = self
            .failing_until
            .compare_exchange(seen, new, Relaxed, Relaxed);
        replaced.is_ok()
    }
}

impl Claim {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open | Self::ProbeDue(_))
    }

    pub(super) fn is_possible(&self) -> bool {
        !matches!(self, Self::Throttled)
    }
}

impl Tick {
    /// Centuries away from both ends, so that times before the pool was built are told apart as well.
    const ORIGIN: u64 = 1 << 62;

    pub(super) fn new(now: Instant, origin: Instant) -> Self {
        let after = nanos(now.saturating_duration_since(origin));
        let before = nanos(origin.saturating_duration_since(now));
        let tick = Self::ORIGIN.saturating_add(after).saturating_sub(before);
        Self(tick.max(1))
    }

    fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    fn until(self, deadline: u64) -> Duration {
        Duration::from_nanos(deadline.saturating_sub(self.0))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How long one probe keeps the others off. A probe ends by its outcome; the lease is for one that is lost, and lets a
/// second one try when the first gets no answer.
const PROBE_LEASE: Duration = Duration::from_secs(10);

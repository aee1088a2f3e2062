//! The failures of one backend, and the request that probes it afterwards.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::{Change, sync::AtomicU64, tick::Tick};

/// Two deadlines. Nothing else is published through them: relaxed order is enough.
#[derive(Debug, Default)]
pub(super) struct Failing {
    /// Zero: it works. Else it failed, and from this tick on one request may probe it; taking the probe moves the
    /// deadline on by [`PROBE_LEASE`], so that no other request does.
    until: AtomicU64,
    /// The deadline that the latest probe set. As long as it is the one in force, no failure was noted since.
    lease: AtomicU64,
}

/// In what way a request has, or may have, a backend. The number is the deadline that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailingState {
    Works,
    /// The deadline is over. The request that moves it on is the probe.
    ProbeDue(u64),
    Probe(u64),
    /// Not due: to be had as a last resort.
    Fails(u64),
}

impl Failing {
    pub(super) fn state(&self, now: Tick) -> FailingState {
        match self.until.load(Relaxed) {
            0 => FailingState::Works,
            until if until <= now.get() => FailingState::ProbeDue(until),
            until => FailingState::Fails(until),
        }
    }

    /// Takes the backend for a request; `None` when another request took the probe first.
    pub(super) fn try_acquire(&self, state: FailingState, now: Tick) -> Option<FailingState> {
        let FailingState::ProbeDue(due) = state else {
            return Some(state);
        };
        let lease = now.after(PROBE_LEASE).get();
        if !self.replace(due, lease) {
            return None;
        }
        self.lease.store(lease, Relaxed);
        Some(FailingState::Probe(lease))
    }

    /// Notes an answer. It proves that the backend works only if it was asked after it failed: the request that was has
    /// the deadline it saw.
    pub(super) fn answered(&self, taken: FailingState) -> Option<Change> {
        let seen = match taken {
            // A lease that is over belongs to another probe, which is not waited for.
            FailingState::Probe(_) => self.lease.load(Relaxed),
            FailingState::ProbeDue(seen) | FailingState::Fails(seen) => seen,
            FailingState::Works => return None,
        };
        self.replace(seen, 0).then_some(Change::Opened)
    }

    /// Notes a failure. Deadlines merge by maximum.
    pub(super) fn failed(&self, taken: FailingState, until: Tick) -> Option<Change> {
        // The lease of a probe is no word about the backend: its outcome replaces it, even by less.
        if let FailingState::Probe(lease) = taken
            && self.replace(lease, until.get())
        {
            return None;
        }
        let before = self.until.fetch_max(until.get(), Relaxed);
        (before == 0).then_some(Change::Closed)
    }

    /// Gives back what was taken by a request that has no outcome.
    pub(super) fn release(&self, taken: FailingState, now: Tick) {
        if let FailingState::Probe(lease) = taken {
            self.replace(lease, now.get());
        }
    }

    /// How long until a request may have it other than as a last resort.
    pub(super) fn closed_for(&self, now: Tick) -> Duration {
        now.until(self.until.load(Relaxed))
    }

    fn replace(&self, seen: u64, new: u64) -> bool {
        self.until
            .compare_exchange(seen, new, Relaxed, Relaxed)
            .is_ok()
    }
}

/// How long one probe keeps the others off. A probe ends by its outcome; the lease is for one that is lost, and lets a
/// second one try when the first gets no answer.
const PROBE_LEASE: Duration = Duration::from_secs(10);

//! The failures of one backend, and the request that probes it afterwards.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::{Change, sync::AtomicU64, tick::Tick};

/// The failure state of a backend: two deadlines. Relaxed order is enough, because no other data is published through
/// them.
#[derive(Debug, Default)]
pub(super) struct Failing {
    /// Zero if the backend works. Otherwise it failed, and one request may probe it from this tick on. Taking the probe
    /// moves the deadline by [`PROBE_LEASE`], so that no other request takes it.
    until: AtomicU64,
    /// The deadline that the latest probe set. While it equals `until`, no failure was recorded since.
    lease: AtomicU64,
}

/// The access of a request to a backend. The number is the deadline that the access was read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailingState {
    Works,
    /// The deadline is over. The request that moves it on is the probe.
    ProbeDue(u64),
    Probe(u64),
    /// Not due: available as a last resort only.
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

    /// Acquires the backend for a request. Returns `None` if another request took the probe first.
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

    /// Records an answer. The answer proves that the backend works only if the request began after the failure, which
    /// shows in the deadline that it was acquired with.
    pub(super) fn answered(&self, taken: FailingState) -> Option<Change> {
        let seen = match taken {
            // An expired lease belongs to an earlier probe.
            FailingState::Probe(_) => self.lease.load(Relaxed),
            FailingState::ProbeDue(seen) | FailingState::Fails(seen) => seen,
            FailingState::Works => return None,
        };
        self.replace(seen, 0).then_some(Change::Opened)
    }

    /// Records a failure. Deadlines merge by maximum.
    pub(super) fn failed(&self, taken: FailingState, until: Tick) -> Option<Change> {
        // The lease of a probe says nothing about the backend. The outcome replaces it, even by an earlier deadline.
        if let FailingState::Probe(lease) = taken
            && self.replace(lease, until.get())
        {
            return None;
        }
        let before = self.until.fetch_max(until.get(), Relaxed);
        (before == 0).then_some(Change::Closed)
    }

    /// Releases the access of a request that has no outcome.
    pub(super) fn release(&self, taken: FailingState, now: Tick) {
        if let FailingState::Probe(lease) = taken {
            self.replace(lease, now.get());
        }
    }

    /// Returns the time until a request may have the backend other than as a last resort.
    pub(super) fn closed_for(&self, now: Tick) -> Duration {
        now.until(self.until.load(Relaxed))
    }

    fn replace(&self, seen: u64, new: u64) -> bool {
        self.until
            .compare_exchange(seen, new, Relaxed, Relaxed)
            .is_ok()
    }
}

/// The time for which one probe keeps other requests off. Usually a probe ends by its outcome. The lease ends a lost
/// one, and lets a second request probe when the first gets no answer.
const PROBE_LEASE: Duration = Duration::from_secs(10);

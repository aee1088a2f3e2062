//! Deadlines by scope, in an array that is read while it is changed.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{
    Scope,
    sync::{AtomicU64, AtomicUsize},
    tick::Tick,
};

/// A lock-free table of deadlines, with one writer at a time and any number of readers. A deadline keeps its slot until
/// the slot is given to another scope.
#[derive(Debug)]
pub(super) struct Deadlines {
    slots: [Slot; Deadlines::CAPACITY],
    /// Slots from this index on were never used.
    used: AtomicUsize,
}

#[derive(Debug, Default)]
struct Slot {
    scope: AtomicU64,
    /// Zero before the slot is used, and while it is given to another scope.
    until: AtomicU64,
}

impl Deadlines {
    /// Scopes come from clients, so their number has a bound. Deployments of one resource are a few dozen at most.
    pub(super) const CAPACITY: usize = 64;

    /// Sets the deadline of a scope. Only one thread may do so at a time.
    pub(super) fn set(&self, slot: usize, scope: Scope, until: Tick) {
        let held = &self.slots[slot];
        let scope = scope.to_bits();
        if held.scope.load(Relaxed) != scope {
            // A reader that sees the new scope sees this zero or a later deadline, and never that of the old scope.
            held.until.store(0, Relaxed);
            held.scope.store(scope, Release);
        }
        held.until.store(until.get(), Release);
        if slot >= self.used.load(Relaxed) {
            self.used.store(slot + 1, Release);
        }
    }

    /// Returns the latest deadline that holds for the scope: its own, or that of the whole backend.
    pub(super) fn latest_of(&self, scope: Scope) -> Option<Tick> {
        let used = self.used.load(Acquire).min(Self::CAPACITY);
        let held = self.slots[..used].iter();
        let latest = held.filter_map(|slot| slot.until(scope)).max()?;
        Tick::from_bits(latest)
    }

    /// Returns the deadline in this slot, if the slot belongs to the scope itself.
    pub(super) fn of_slot(&self, slot: usize, scope: Scope) -> Option<Tick> {
        let slot = &self.slots[slot];
        let is_held = || slot.scope.load(Acquire) == scope.to_bits();
        let until = is_held().then(|| slot.until.load(Acquire))?;
        // The slot may have been given to another scope in between.
        is_held().then(|| Tick::from_bits(until)).flatten()
    }
}

impl Slot {
    fn until(&self, scope: Scope) -> Option<u64> {
        let held = self.scope.load(Acquire);
        if held != scope.to_bits() && held != scope.whole().to_bits() {
            return None;
        }
        let until = self.until.load(Acquire);
        // If the slot was given to another scope in between, the deadline may be that of the other scope.
        (self.scope.load(Relaxed) == held).then_some(until)
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            slots: std::array::from_fn(|_| Slot::default()),
            used: AtomicUsize::new(0),
        }
    }
}

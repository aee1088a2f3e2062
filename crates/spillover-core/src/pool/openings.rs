//! The first request after the end of a throttle.

use std::sync::atomic::Ordering::Relaxed;

use super::{sync::AtomicU64, tick::Tick};

/// The first request after each opening, by the slot of its deadline. Only the first one shows if the wait was too
/// short: a leaky bucket rightly admits one request and refuses the next.
///
/// Ticks stand for requests. Two requests that begin at one tick cannot be told apart, so neither counts as first.
#[derive(Debug)]
pub(super) struct Openings {
    /// A bit for each slot whose first request has no recorded answer. Usually zero, and then nothing else is read.
    awaited: AtomicU64,
    first: [AtomicU64; Openings::CAPACITY],
}

impl Openings {
    pub(super) const CAPACITY: usize = u64::BITS as usize;

    pub(super) fn is_any_awaited(&self) -> bool {
        self.awaited.load(Relaxed) != 0
    }

    /// Returns the slots whose first request has no recorded answer.
    pub(super) fn awaited(&self) -> impl Iterator<Item = usize> + use<> {
        let mut bits = self.awaited.load(Relaxed);
        std::iter::from_fn(move || {
            let slot = bits.trailing_zeros() as usize;
            bits &= bits.wrapping_sub(1);
            (slot < Self::CAPACITY).then_some(slot)
        })
    }

    /// Awaits the first request after the next opening. Returns the first request after the last opening.
    pub(super) fn expect(&self, slot: usize) -> Option<Tick> {
        let before = self.first[slot].swap(NONE, Relaxed);
        self.awaited.fetch_or(1 << slot, Relaxed);
        (before != SHARED)
            .then(|| Tick::from_bits(before))
            .flatten()
    }

    /// Records a request that began after the opening.
    pub(super) fn record(&self, slot: usize, begun: Tick) {
        let first = &self.first[slot];
        let held = first.compare_exchange(NONE, begun.get(), Relaxed, Relaxed);
        if held == Err(begun.get()) {
            // A failure does not matter: another opening is awaited then.
            let _ = first.compare_exchange(begun.get(), SHARED, Relaxed, Relaxed);
        }
    }

    pub(super) fn is_first(&self, slot: usize, begun: Tick) -> bool {
        self.first[slot].load(Relaxed) == begun.get()
    }

    /// Stops awaiting a request for this slot.
    pub(super) fn forget(&self, slot: usize) {
        self.first[slot].store(SHARED, Relaxed);
        self.awaited.fetch_and(!(1 << slot), Relaxed);
    }
}

impl Default for Openings {
    fn default() -> Self {
        Self {
            awaited: AtomicU64::new(0),
            first: std::array::from_fn(|_| AtomicU64::new(SHARED)),
        }
    }
}

/// No request began since the opening. A tick is never zero.
const NONE: u64 = 0;

/// No request counts as first.
const SHARED: u64 = u64::MAX;

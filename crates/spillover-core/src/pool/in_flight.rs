//! How many requests are at one backend.

use std::{num::NonZeroU32, sync::atomic::Ordering::Relaxed};

use super::sync::{AtomicBool, AtomicU64};

/// A number that nothing else is published through: relaxed order is enough. On a cache line of its own, as every request
/// changes it. Limits are kept elsewhere, so that without a limit this line is not read.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct InFlight {
    /// The number is the low half. The high half is the least of the limits: from that number on, a request may wait for a place.
    /// In one word, so that no place is given back unseen between a change of one and a look at the other.
    word: AtomicU64,
}

/// A place among them. It is given back once.
#[derive(Debug)]
pub(super) struct Permit {
    is_held: AtomicBool,
}

impl InFlight {
    pub(super) fn count(&self) -> u32 {
        count(self.word.load(Relaxed))
    }

    pub(super) fn is_full(&self, max: Option<NonZeroU32>) -> bool {
        max.is_some_and(|max| self.count() >= max.get())
    }

    /// Takes a place; `None` when none is free.
    pub(super) fn acquire(&self, max: Option<NonZeroU32>) -> Option<Permit> {
        match max {
            None => {
                self.word.fetch_add(1, Relaxed);
            }
            Some(max) => {
                let next = |word| (count(word) < max.get()).then(|| word + 1);
                self.word.fetch_update(Relaxed, Relaxed, next).ok()?;
            }
        }
        Some(Permit {
            is_held: AtomicBool::new(true),
        })
    }

    /// Gives a place back, unless that was done; how many there were with it, if that is as many as the least limit.
    pub(super) fn release(&self, permit: &Permit) -> Option<u32> {
        if !permit.is_held.swap(false, Relaxed) {
            return None;
        }
        let before = self.word.fetch_sub(1, Relaxed);
        (count(before) >= least_limit(before)).then(|| count(before))
    }

    pub(super) fn set_least_limit(&self, limit: Option<NonZeroU32>) {
        let limit = limit.map_or(NO_LIMIT, NonZeroU32::get);
        let next = |word| Some(with_limit(limit) | u64::from(count(word)));
        // An update cannot fail: there is always a next value.
        let _ = self.word.fetch_update(Relaxed, Relaxed, next);
    }
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            word: AtomicU64::new(with_limit(NO_LIMIT)),
        }
    }
}

fn count(word: u64) -> u32 {
    word as u32
}

fn least_limit(word: u64) -> u32 {
    (word >> 32) as u32
}

fn with_limit(limit: u32) -> u64 {
    u64::from(limit) << 32
}

const NO_LIMIT: u32 = u32::MAX;

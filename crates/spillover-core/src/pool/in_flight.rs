//! The number of requests in flight at one backend.

use std::{num::NonZeroU32, sync::atomic::Ordering::Relaxed};

use super::sync::{AtomicBool, AtomicU64};

/// The counter of requests in flight. Relaxed order is enough, because no other data is published through it. The
/// counter has its own cache line, because every request changes it. Limits are elsewhere, so that this line is not
/// read without a limit.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct InFlight {
    /// The low half is the number. The high half is the least of the limits: from that number on, a request may wait
    /// for a permit. Both are in one word, so that no release is missed between a change of one and a read of the
    /// other.
    word: AtomicU64,
}

/// A permit for one request. It is released once.
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

    /// Acquires a permit. Returns `None` if none is free.
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

    /// Releases a permit, unless that was done before. Returns the number before the release if it had reached the
    /// least limit.
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
        // The update cannot fail: there is always a next value.
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

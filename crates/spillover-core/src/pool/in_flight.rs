//! How many requests are at one backend, and the limit of that.

use std::{num::NonZeroU32, sync::atomic::Ordering::Relaxed};

use super::sync::{AtomicBool, AtomicU32};

/// A number that nothing else is published through: relaxed order is enough. On a cache line of its own, as every request
/// changes it. The limit is kept elsewhere, so that where there is none nobody needs to read this line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct InFlight {
    count: AtomicU32,
}

/// A place among them. It is given back once.
#[derive(Debug)]
pub(super) struct Place {
    is_held: AtomicBool,
}

impl InFlight {
    pub(super) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }

    pub(super) fn is_full(&self, max: Option<NonZeroU32>) -> bool {
        max.is_some_and(|max| self.count() >= max.get())
    }

    /// Takes a place; `None` when none is free.
    pub(super) fn enter(&self, max: Option<NonZeroU32>) -> Option<Place> {
        match max {
            None => {
                self.count.fetch_add(1, Relaxed);
            }
            Some(max) => {
                let next = |count| (count < max.get()).then(|| count + 1);
                self.count.fetch_update(Relaxed, Relaxed, next).ok()?;
            }
        }
        Some(Place {
            is_held: AtomicBool::new(true),
        })
    }

    /// Gives a place back, unless that was done; whether it was the only one free then.
    pub(super) fn leave(&self, place: &Place, max: Option<NonZeroU32>) -> bool {
        if !place.is_held.swap(false, Relaxed) {
            return false;
        }
        let before = self.count.fetch_sub(1, Relaxed);
        max.is_some_and(|max| before >= max.get())
    }
}

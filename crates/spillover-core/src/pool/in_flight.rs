//! How many requests are at one backend, and the limit of that.

use std::{num::NonZeroU32, sync::atomic::Ordering::Relaxed};

use super::sync::{AtomicBool, AtomicU32};

/// A number that nothing else is published through: relaxed order is enough.
#[derive(Debug)]
pub(super) struct InFlight {
    max: Option<NonZeroU32>,
    count: Count,
}

/// On a cache line of its own: every request changes it, and only where there is a limit every request reads it.
#[derive(Debug)]
#[repr(align(128))]
struct Count {
    requests: AtomicU32,
}

/// A place among them. It is given back once.
#[derive(Debug)]
pub(super) struct Place {
    is_held: AtomicBool,
}

impl InFlight {
    pub(super) fn new(max: Option<NonZeroU32>) -> Self {
        Self {
            max,
            count: Count {
                requests: AtomicU32::new(0),
            },
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.count.requests.load(Relaxed)
    }

    pub(super) fn is_limited(&self) -> bool {
        self.max.is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        self.max.is_some_and(|max| self.count() >= max.get())
    }

    /// Takes a place; `None` when none is free.
    pub(super) fn enter(&self) -> Option<Place> {
        match self.max {
            None => {
                self.count.requests.fetch_add(1, Relaxed);
            }
            Some(max) => {
                let next = |count| (count < max.get()).then(|| count + 1);
                self.count
                    .requests
                    .fetch_update(Relaxed, Relaxed, next)
                    .ok()?;
            }
        }
        Some(Place {
            is_held: AtomicBool::new(true),
        })
    }

    /// Gives a place back, unless that was done; whether it was the only one free then.
    pub(super) fn leave(&self, place: &Place) -> bool {
        if !place.is_held.swap(false, Relaxed) {
            return false;
        }
        let before = self.count.requests.fetch_sub(1, Relaxed);
        self.max.is_some_and(|max| before >= max.get())
    }
}

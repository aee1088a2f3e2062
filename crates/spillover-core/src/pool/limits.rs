//! The limits that one backend announces, so that a lowered one is noticed.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use spillover_hint::Dimension;

use super::{Scope, tick::Tick};

/// The limit seen last, per scope and dimension.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// The tick of the next read. Zero: at once.
    next_look: AtomicU64,
    seen: Mutex<HashMap<(u64, Dimension), u64>>,
}

impl Limits {
    /// Returns true to one caller per interval, which then reads the limits that the backend announces.
    pub(super) fn is_due(&self, now: Tick) -> bool {
        let due = self.next_look.load(Relaxed);
        let next = now.after(LOOK_EVERY).get();
        due <= now.get()
            && self
                .next_look
                .compare_exchange(due, next, Relaxed, Relaxed)
                .is_ok()
    }

    /// Records a limit of a scope. Returns the one before, if that was higher.
    pub(super) fn record(&self, scope: Scope, dimension: Dimension, limit: u64) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_LIMITS {
            // Clients choose the scopes, so the number is bounded. After a clear, at most one notice is lost.
            seen.clear();
        }
        let before = seen.insert((scope.to_bits(), dimension), limit);
        before.filter(|&before| limit < before)
    }
}

/// The interval of reads. Limits change seldom: when a deployment is changed, or a provider is short of capacity.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const MAX_LIMITS: usize = 128;

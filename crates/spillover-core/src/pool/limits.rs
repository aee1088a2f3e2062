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
    /// Zero: at once.
    next_look: AtomicU64,
    seen: Mutex<HashMap<(u64, Dimension), u64>>,
}

impl Limits {
    /// Whether it is time to look at what the backend announces; the one who is told so looks.
    pub(super) fn is_due(&self, now: Tick) -> bool {
        let due = self.next_look.load(Relaxed);
        let next = now.after(LOOK_EVERY).get();
        due <= now.get()
            && self
                .next_look
                .compare_exchange(due, next, Relaxed, Relaxed)
                .is_ok()
    }

    /// Notes a limit of a scope; the one before, if that was higher.
    pub(super) fn note(&self, scope: Scope, dimension: Dimension, limit: u64) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_LIMITS {
            // Scopes come from clients. To forget them all costs a notice at most.
            seen.clear();
        }
        let before = seen.insert((scope.to_bits(), dimension), limit);
        before.filter(|&before| limit < before)
    }
}

/// Limits change when somebody changes a deployment, or a provider is short of capacity: neither happens often.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const MAX_LIMITS: usize = 128;

//! Limit of the idle connections that stay in hyper, because their next request may come soon.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts the idle connections of a thread that are still in hyper.
///
/// Beyond [`IdleLimit::MAX`], a connection leaves hyper as soon as it is idle. Otherwise a burst of thousands of connections
/// would take their memory at once, and the allocator does not give it back.
#[derive(Debug, Default)]
pub(super) struct IdleLimit {
    idle: AtomicUsize,
}

/// Slot of a connection, which counts while it is idle. Dropping the slot ends that.
#[derive(Debug)]
pub(super) struct IdleSlot<'a> {
    idle_limit: &'a IdleLimit,
    is_idle: bool,
}

impl IdleLimit {
    pub(super) const MAX: usize = 256;

    /// Returns the slot of a busy connection.
    pub(super) fn slot(&self) -> IdleSlot<'_> {
        IdleSlot {
            idle_limit: self,
            is_idle: false,
        }
    }
}

impl IdleSlot<'_> {
    /// Records whether the connection is idle. Returns true if it has become idle beyond the limit.
    pub(super) fn is_too_many(&mut self, is_idle: bool) -> bool {
        if is_idle == self.is_idle {
            return false;
        }
        self.is_idle = is_idle;
        if is_idle {
            self.idle_limit.idle.fetch_add(1, Relaxed) >= IdleLimit::MAX
        } else {
            self.idle_limit.idle.fetch_sub(1, Relaxed);
            false
        }
    }
}

impl Drop for IdleSlot<'_> {
    fn drop(&mut self) {
        self.is_too_many(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_beyond_the_limit_is_too_many_until_another_is_busy() {
        let idle_limit = IdleLimit::default();
        let mut slots: Vec<_> = (0..IdleLimit::MAX).map(|_| idle_limit.slot()).collect();
        assert!(slots.iter_mut().all(|slot| !slot.is_too_many(true)));

        let mut late = idle_limit.slot();
        assert!(late.is_too_many(true));
        assert!(!late.is_too_many(false));
        assert!(!slots[0].is_too_many(false));
        assert!(!late.is_too_many(true));
        drop(slots);
        assert!(!idle_limit.slot().is_too_many(true));
        drop(late);
        assert_eq!(idle_limit.idle.load(Relaxed), 0);
    }
}

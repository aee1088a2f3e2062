//! The permits of one backend, and the queues that are notified when one becomes free.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    in_flight::{InFlight, Permit},
    queue::Queue,
};

/// The permits of one pool. All pools of the backend count together, and each has a limit of its own.
#[derive(Debug)]
pub(super) struct Permits {
    shared: Arc<Shared>,
    max: Option<NonZeroU32>,
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Shared {
    in_flight: InFlight,
    /// The limits of the pools that have one. The list is replaced as a whole, so that queues are notified without the
    /// lock: a woken request may release a permit.
    limits: Mutex<Arc<[Limit]>>,
}

#[derive(Clone, Debug)]
struct Limit {
    max: NonZeroU32,
    queue: Arc<Queue>,
}

impl Permits {
    /// Creates the permits of a backend that is in no other pool. The queue is notified when the backend was full and
    /// has a free permit again.
    pub(super) fn new(max: Option<NonZeroU32>, queue: &Arc<Queue>) -> Self {
        Self::with_shared(Arc::default(), max, queue)
    }

    /// Returns the permits of the same backend for another pool.
    pub(super) fn share(&self, max: Option<NonZeroU32>, queue: &Arc<Queue>) -> Self {
        Self::with_shared(Arc::clone(&self.shared), max, queue)
    }

    fn with_shared(shared: Arc<Shared>, max: Option<NonZeroU32>, queue: &Arc<Queue>) -> Self {
        if let Some(max) = max {
            let queue = Arc::clone(queue);
            shared.change_limits(|limits| limits.push(Limit { max, queue }));
        }
        Self {
            shared,
            max,
            queue: Arc::clone(queue),
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.shared.in_flight.count()
    }

    /// Returns true if the number of permits is limited.
    pub(super) fn is_limited(&self) -> bool {
        self.max.is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        self.shared.in_flight.is_full(self.max)
    }

    /// Acquires a permit, to be released by [`release`](Self::release). Returns `None` if none is free.
    pub(super) fn acquire(&self) -> Option<Permit> {
        self.shared.in_flight.acquire(self.max)
    }

    /// Releases a permit, unless that was done before. Wakes a waiting request in each pool that had no free permit.
    pub(super) fn release(&self, permit: &Permit) {
        let Some(before) = self.shared.in_flight.release(permit) else {
            return;
        };
        let limits = Arc::clone(&self.shared.limits());
        let full = limits.iter().filter(|limit| before >= limit.max.get());
        full.for_each(|limit| limit.queue.notify_free_permit());
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        if self.max.is_some() {
            let is_other = |limit: &Limit| !Arc::ptr_eq(&limit.queue, &self.queue);
            self.shared.change_limits(|limits| limits.retain(is_other));
        }
    }
}

impl Shared {
    fn change_limits(&self, change: impl FnOnce(&mut Vec<Limit>)) {
        let mut held = self.limits();
        let mut limits = held.to_vec();
        change(&mut limits);
        let least = limits.iter().map(|limit| limit.max).min();
        *held = limits.into();
        // Set under the lock, so that it is always the least of the limits.
        self.in_flight.set_least_limit(least);
    }

    fn limits(&self) -> MutexGuard<'_, Arc<[Limit]>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

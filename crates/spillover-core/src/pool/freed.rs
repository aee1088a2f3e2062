//! Who waits for a place at a full backend, and how they are woken one by one.

use std::{
    fmt,
    future::Future as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::Instant,
};

use super::{Pool, Selected};

/// Waits for places at backends that were full; see [`Pool::freed`].
///
/// A place that gets free wakes one waiter. In return each that was woken looks for a backend and then says so by
/// [`pass_on`](Self::pass_on): a place that it left is for the next.
pub struct Freed {
    pool: Pool,
    notified: Pin<Box<OwnedNotified>>,
    /// Whether it was woken, and did not say yet what came of it.
    is_woken: bool,
    /// How many places had got free when it last passed one on.
    passed_on: Option<u64>,
}

impl Freed {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            notified: Box::pin(pool.bell().notify.clone().notified_owned()),
            pool,
            is_woken: false,
            passed_on: None,
        }
    }

    /// Ready when a place got free since the last time; then it can be polled on. It takes its turn behind those that
    /// wait before it returns: who looks for a backend after it was polled, the first time as well, misses no place.
    pub fn poll_freed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut is_freed = false;
        while self.notified.as_mut().poll(cx).is_ready() {
            let notified = self.pool.bell().notify.clone().notified_owned();
            self.notified.set(notified);
            is_freed = true;
        }
        self.is_woken |= is_freed;
        if is_freed {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Wakes the next that waits, if this one was woken and has left a place for it: because it got another, or because
    /// what is free is closed for it, such as for its scope.
    pub fn pass_on(&mut self, taken: Option<&Selected>, now: Instant) {
        if !std::mem::take(&mut self.is_woken) {
            return;
        }
        let bell = self.pool.bell();
        let is_left = match taken {
            // More than one place may have got free since the bell was rung.
            Some(selected) if selected.is_limited() => selected.is_place_left(),
            _ => self.pool.has_free_place(now),
        };
        let rung = bell.rung.load(Relaxed);
        // A place that is of use to nobody goes round once.
        let has_gone_round = taken.is_none() && self.passed_on == Some(rung);
        if is_left && !has_gone_round {
            self.passed_on = Some(rung);
            bell.notify.notify_one();
        }
    }
}

impl Drop for Freed {
    fn drop(&mut self) {
        // One that was woken and not polled since passes it on by itself.
        if self.is_woken {
            self.pool.bell().notify.notify_one();
        }
    }
}

impl fmt::Debug for Freed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Freed").finish_non_exhaustive()
    }
}

/// Rung when a full backend has a place again.
#[derive(Debug, Default)]
pub(super) struct Bell {
    notify: Arc<Notify>,
    rung: AtomicU64,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rung.fetch_add(1, Relaxed);
        // Who is in the queue sees the place: to enter it and to wake from it are changes of one atomic.
        self.notify.notify_one();
    }
}

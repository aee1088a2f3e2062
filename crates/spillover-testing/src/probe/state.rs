use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
    task::{Context, Waker},
};

use crate::sync::lock;

/// The state that the clones of one probe share.
pub(super) struct State<E> {
    counts: Mutex<Counts>,
    readiness: Mutex<Readiness<E>>,
}

impl<E> State<E> {
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        lock(&self.counts)
    }

    /// Returns the readiness that the handle has set, and stores the waker if that is pending.
    pub(super) fn gate(&self, cx: &mut Context<'_>) -> Gate<E> {
        let mut readiness = lock(&self.readiness);
        if let Some(error) = readiness.errors.pop_front() {
            return Gate::Failed(error);
        }
        if readiness.closed {
            let waker = cx.waker();
            if !readiness.wakers.iter().any(|known| known.will_wake(waker)) {
                readiness.wakers.push(waker.clone());
            }
            return Gate::Closed;
        }
        Gate::Open {
            pending_polls: readiness.pending_polls,
        }
    }

    /// Changes readiness and wakes all waiting tasks.
    pub(super) fn set_readiness(&self, change: impl FnOnce(&mut Readiness<E>)) {
        let wakers = {
            let mut readiness = lock(&self.readiness);
            change(&mut readiness);
            std::mem::take(&mut readiness.wakers)
        };
        for waker in wakers {
            waker.wake();
        }
    }
}

impl<E> Default for State<E> {
    fn default() -> Self {
        Self {
            counts: Mutex::default(),
            readiness: Mutex::new(Readiness {
                closed: false,
                pending_polls: 0,
                errors: VecDeque::new(),
                wakers: Vec::new(),
            }),
        }
    }
}

pub(super) enum Gate<E> {
    Open { pending_polls: usize },
    Closed,
    Failed(E),
}

pub(super) struct Readiness<E> {
    pub(super) closed: bool,
    pub(super) pending_polls: usize,
    pub(super) errors: VecDeque<E>,
    wakers: Vec<Waker>,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) polls: usize,
    pub(super) calls: usize,
    pub(super) clones: usize,
    pub(super) instances: usize,
    pub(super) reserved: usize,
    pub(super) in_flight: usize,
    pub(super) completed: usize,
    pub(super) cancelled: usize,
    pub(super) violations: usize,
}

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts requests being served and requests that were dropped. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    now: AtomicUsize,
    cancelled: AtomicUsize,
}

impl InFlight {
    pub(super) fn now(&self) -> usize {
        self.counts.now.load(Relaxed)
    }

    pub(super) fn cancelled(&self) -> usize {
        self.counts.cancelled.load(Relaxed)
    }

    pub(super) fn begin(&self) -> Ticket {
        self.counts.now.fetch_add(1, Relaxed);
        Ticket {
            counts: Arc::clone(&self.counts),
            is_answered: false,
        }
    }
}

/// A request being served. Dropping it before it is answered counts as given up.
#[derive(Debug)]
pub(super) struct Ticket {
    counts: Arc<Counts>,
    is_answered: bool,
}

impl Ticket {
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.counts.now.fetch_sub(1, Relaxed);
        if !self.is_answered {
            self.counts.cancelled.fetch_add(1, Relaxed);
        }
    }
}

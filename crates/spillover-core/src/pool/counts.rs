use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Class;

/// The outcomes of the attempts at one backend, since the first pool that had it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Attempts that were served, or refused because of the request.
    pub answered: u64,
    /// Attempts that were refused because of a limit, a quota or a size.
    pub refused: u64,
    /// Attempts that failed: 5xx, a timeout, no connection, a refused credential.
    pub failed: u64,
    /// Attempts that were given up before a response began: the client went away, or another backend was called within
    /// the client's timeout.
    pub cancelled: u64,
    /// Attempts whose connection ended before the backend processed the request.
    pub unprocessed: u64,
    /// Responses that broke off or reported an error after their beginning was passed on. These are also counted as
    /// answered.
    pub broken: u64,
    /// Attempts that sent a request to the backend once more, because it had not processed it. These are also counted
    /// above.
    pub resent: u64,
}

/// On a cache line of its own: the deadlines beside it are read by every request, and these are written by every request.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    answered: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    unprocessed: AtomicU64,
    broken: AtomicU64,
    resent: AtomicU64,
}

impl Counters {
    pub(super) fn add(&self, class: Class) {
        let counter = match class {
            Class::Success | Class::ClientError => &self.answered,
            Class::Throttled | Class::Quota | Class::TooLarge | Class::Declined => &self.refused,
            Class::Capacity | Class::Failing | Class::Credential => &self.failed,
            Class::Unprocessed => &self.unprocessed,
            Class::Late => &self.cancelled,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn add_cancelled(&self) {
        self.cancelled.fetch_add(1, Relaxed);
    }

    pub(super) fn add_broken(&self) {
        self.broken.fetch_add(1, Relaxed);
    }

    pub(super) fn add_resent(&self) {
        self.resent.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Counts {
        Counts {
            answered: self.answered.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failed: self.failed.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
            unprocessed: self.unprocessed.load(Relaxed),
            broken: self.broken.load(Relaxed),
            resent: self.resent.load(Relaxed),
        }
    }
}

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Class;

/// The outcomes of the attempts at one backend, since the first pool that had it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Served, or refused for what the client sent.
    pub answered: u64,
    /// Refused because of a limit, a quota, a size or the like.
    pub refused: u64,
    /// Failed: 5xx, a timeout, no connection, a credential that was not accepted.
    pub failed: u64,
    /// Given up before they had an answer: the client went away, or another backend was asked in the time that it waits.
    pub cancelled: u64,
    /// Ended with their connection before the backend looked at them.
    pub unprocessed: u64,
    /// Answers, also counted as answered, that broke off or reported an error after their beginning had been passed on.
    pub broken: u64,
    /// Attempts, also counted above, that sent a request to the backend once more, which had not processed it before.
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

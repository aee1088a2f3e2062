use std::sync::{
    Arc, OnceLock,
    atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use tokio::time::Instant;

use crate::Class;

/// The attempts of one request, with the backends that it tried. Clones share their state, so that a layer outside sees the
/// records of a layer inside, whether an attempt ends in a response or in an error.
///
/// A request tries a backend once, with one exception: if the connection ended before the backend processed the
/// request, the request is sent to the same backend once more ([`resend`](Self::resend)).
///
/// ```
/// use spillover_core::Attempts;
///
/// let attempts = Attempts::new();
/// attempts.mark(3);
/// assert!(attempts.resend(3));
/// assert_eq!(attempts.resend_to(), Some(3));
/// assert!(!attempts.contains(3));
///
/// attempts.mark(3);
/// assert_eq!(attempts.resend_to(), None);
/// assert!(!attempts.resend(3), "a second time it is a failure like any other");
/// assert_eq!(attempts.count(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) words: [AtomicU64; WORDS],
    /// The backends that the request was sent to once more, or will be.
    pub(super) resent: [AtomicU64; WORDS],
    /// The index of the backend that the next attempt goes to, plus one; zero when the backend is to be chosen.
    pub(super) resend_to: AtomicU32,
    /// Boxed, because few requests wait for a backend.
    pub(super) waiting: OnceLock<Box<Waiting>>,
    /// The instant since which the client waits, if a layer asked for it.
    pub(super) begun: OnceLock<Instant>,
    pub(super) is_answered: AtomicBool,
    pub(super) has_head: AtomicBool,
    pub(super) attempts: AtomicU32,
    /// A bit for the class of each refusal.
    pub(super) refusals: AtomicU32,
    /// The reasons why no other attempt follows: [`EXHAUSTED`], [`LAST`]. One byte for both, as every request has this.
    pub(super) end: AtomicU8,
    pub(super) request_failed: AtomicBool,
    pub(super) awaiting_body: AtomicBool,
    pub(super) body_held: AtomicBool,
}

/// State of a request that may wait for a backend.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The backends that refused because of a limit.
    pub(super) limited: [AtomicU64; WORDS],
    /// The ticket of the request in the queue; zero for none.
    pub(super) ticket: AtomicU64,
    pub(super) deadline: OnceLock<Instant>,
}

impl Attempts {
    pub(super) const CAPACITY: usize = WORDS * 64;

    /// Creates the attempts of a request that has tried nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters the backend with this index and counts an attempt.
    pub fn mark(&self, index: usize) {
        if let Some(word) = self.shared.words.get(index / 64) {
            word.fetch_or(1 << (index % 64), Relaxed);
        }
        self.shared.resend_to.store(0, Relaxed);
        self.shared.attempts.fetch_add(1, Relaxed);
        self.shared.has_head.store(false, Relaxed);
    }

    /// Returns true if the backend with this index was tried.
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        let word = self.shared.words.get(index / 64);
        word.is_some_and(|word| word.load(Relaxed) & (1 << (index % 64)) != 0)
    }

    /// Records that the backend with this index did not process the request, which the next attempt sends there once more.
    /// Returns false, and records nothing, if that has happened before: then the backend was tried.
    pub fn resend(&self, index: usize) -> bool {
        let (at, bit) = (index / 64, 1 << (index % 64));
        let Some(resent) = self.shared.resent.get(at) else {
            return false;
        };
        if resent.fetch_or(bit, Relaxed) & bit != 0 {
            return false;
        }
        self.shared.words[at].fetch_and(!bit, Relaxed);
        // Backends are fewer than 256.
        self.shared.resend_to.store(index as u32 + 1, Release);
        true
    }

    /// Returns the index of the backend to which the next attempt sends the request once more, if it does.
    #[must_use]
    pub fn resend_to(&self) -> Option<usize> {
        let next = self.shared.resend_to.load(Acquire);
        next.checked_sub(1).map(|index| index as usize)
    }

    pub(super) fn is_limited(&self, index: usize) -> bool {
        let waiting = self.shared.waiting.get();
        let word = waiting.and_then(|waiting| waiting.limited.get(index / 64));
        word.is_some_and(|word| word.load(Relaxed) & (1 << (index % 64)) != 0)
    }

    /// Returns the backends that were tried, except those that a waiting request may ask again.
    pub(super) fn excluded(&self, may_ask_again: bool) -> [u64; WORDS] {
        std::array::from_fn(|word| {
            let attempts = self.shared.words[word].load(Relaxed);
            match self.shared.waiting.get().filter(|_| may_ask_again) {
                Some(waiting) => attempts & !waiting.limited[word].load(Relaxed),
                None => attempts,
            }
        })
    }

    /// Takes the queue ticket from the request's earlier wait.
    pub(super) fn take_ticket(&self) -> Option<u64> {
        let waiting = self.shared.waiting.get()?;
        let ticket = waiting.ticket.swap(0, Relaxed);
        (ticket != 0).then_some(ticket)
    }

    /// Saves the queue ticket for when the request waits again.
    pub(super) fn keep_ticket(&self, ticket: u64) {
        self.waiting().ticket.store(ticket, Relaxed);
    }

    pub(super) fn waiting(&self) -> &Waiting {
        self.shared.waiting.get_or_init(Box::default)
    }

    /// Returns the number of attempts made, including those that sent the request to the same backend once more.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.shared.attempts.load(Relaxed)
    }

    /// Returns true if a backend refused the request with an answer of this class.
    #[must_use]
    pub fn was_refused_as(&self, class: Class) -> bool {
        self.shared.refusals.load(Relaxed) & bit_of(class) != 0
    }

    /// Returns true if the backends refused the request for different reasons, such as one for a rate limit and one for a
    /// credential.
    #[must_use]
    pub fn has_mixed_refusals(&self) -> bool {
        self.shared.refusals.load(Relaxed).count_ones() > 1
    }

    /// Returns true if no other backend would take the request.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.shared.end.load(Acquire) & EXHAUSTED != 0
    }

    /// Returns true if the request itself broke.
    #[must_use]
    pub fn is_request_failed(&self) -> bool {
        self.shared.request_failed.load(Acquire)
    }
}

pub(super) fn bit_of(class: Class) -> u32 {
    1 << class as u32
}

pub(super) const EXHAUSTED: u8 = 1;

pub(super) const LAST: u8 = 2;

pub(super) const WORDS: usize = 4;

use std::time::Duration;

use super::{Cause, Counts, Silence};
use crate::Backend;

/// The state of one backend at one instant.
#[derive(Clone, Debug)]
pub struct BackendSnapshot {
    pub(super) backend: Backend,
    pub(super) condition: Condition,
    pub(super) cause: Option<Cause>,
    pub(super) counts: Counts,
    pub(super) in_flight: u32,
    pub(super) latency: Option<Duration>,
    pub(super) throttled_scopes: usize,
    pub(super) longest_throttle: Option<(Duration, Cause)>,
    pub(super) suspect_scopes: usize,
    pub(super) longest_silence: Option<Silence>,
}

impl BackendSnapshot {
    /// The backend.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Whether it is open, and until when not.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// Why it is closed.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// How attempts at it went.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// For how many scopes it is throttled, whichever was asked for: a limit is mostly one of a deployment, or a client.
    #[must_use]
    pub fn throttled_scopes(&self) -> usize {
        self.throttled_scopes
    }

    /// For how long and why it is throttled for the one of these scopes that opens last.
    #[must_use]
    pub fn longest_throttle(&self) -> Option<(Duration, &Cause)> {
        let (left, cause) = self.longest_throttle.as_ref()?;
        Some((*left, cause))
    }

    /// For how many scopes it is [suspect](Condition::Suspect), whichever was asked for.
    #[must_use]
    pub fn suspect_scopes(&self) -> usize {
        self.suspect_scopes
    }

    /// The longest silence of these scopes.
    #[must_use]
    pub fn longest_silence(&self) -> Option<Silence> {
        self.longest_silence
    }

    /// How many requests are at it: chosen for, and not [released](crate::Selected::release).
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How long it takes from the choice to the head of the answer: a moving average that follows a rise at once and a
    /// fall slowly. `None` when that is not known, or has not been for long.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.latency
    }
}

/// Whether a backend takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It takes requests.
    Open,
    /// It said that it takes none for this long; then it opens fully.
    Throttled(Duration),
    /// It failed. After this long one request probes it; zero means that the next one does.
    Failing(Duration),
    /// The latest attempts of this scope were given up before it began an answer ([`Selected::give_up`]). Others are asked
    /// first. After this long one request probes it; zero means that the next one does.
    ///
    /// [`Selected::give_up`]: crate::Selected::give_up
    Suspect(Duration),
    /// It has as many requests in flight as it may have ([`Backend::max_concurrency`]), and takes the next when one of them
    /// ends.
    Full,
}

/// The effect of an outcome on the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    change: Option<Change>,
    closed_for: Option<Duration>,
}

impl Recorded {
    pub(super) fn new(change: Option<Change>, closed_for: Option<Duration>) -> Self {
        Self { change, closed_for }
    }

    /// The change of the backend's state; `None` if it stays as it was.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        self.change
    }

    /// For how long the backend is closed from now on, if the outcome closes it. The time may be longer than the cooldown
    /// of the outcome: an earlier refusal may hold for longer, and the least wait grows while a backend is refused right
    /// after each opening.
    #[must_use]
    pub fn closed_for(&self) -> Option<Duration> {
        self.closed_for
    }
}

/// What an outcome changed about a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It was open, and is closed.
    Closed,
    /// The backend was failing or suspect, and is open.
    Opened,
}

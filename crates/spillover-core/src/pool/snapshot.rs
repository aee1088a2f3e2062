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
    /// Returns the backend.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the condition: open, or the reason and the time until it opens.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// Returns the reason why the backend is closed.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Returns the number of attempts by outcome.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the number of scopes for which the backend is throttled, whatever the scope of the snapshot. A limit is mostly one of
    /// a deployment, or a client.
    #[must_use]
    pub fn throttled_scopes(&self) -> usize {
        self.throttled_scopes
    }

    /// Returns the time and the cause of the throttle of the scope that opens last.
    #[must_use]
    pub fn longest_throttle(&self) -> Option<(Duration, &Cause)> {
        let (left, cause) = self.longest_throttle.as_ref()?;
        Some((*left, cause))
    }

    /// Returns the number of scopes for which the backend is [suspect](Condition::Suspect), whatever the scope of the snapshot.
    #[must_use]
    pub fn suspect_scopes(&self) -> usize {
        self.suspect_scopes
    }

    /// Returns the longest silence of these scopes.
    #[must_use]
    pub fn longest_silence(&self) -> Option<Silence> {
        self.longest_silence
    }

    /// Returns the number of requests in flight: the backend was chosen for them, and not [released](crate::Selected::release).
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Returns the time from the choice of the backend to the head of its response: the average of the latest responses that were
    /// served, about 32. `None` before the first.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.latency
    }
}

/// The condition of a backend: open, or the reason why it takes no requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The backend takes requests.
    Open,
    /// The backend said that it takes no requests for this long. Then it opens fully.
    Throttled(Duration),
    /// The backend failed. After this long one request probes it; zero means that the next one does.
    Failing(Duration),
    /// The latest attempts of this scope were given up before the backend began a response ([`Selected::give_up`]).
    /// Others are asked first. After this long one request probes it; zero means that the next one does.
    ///
    /// [`Selected::give_up`]: crate::Selected::give_up
    Suspect(Duration),
    /// The backend has as many requests in flight as it may have ([`Backend::max_concurrency`]), and takes the next when one of them
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

    /// Returns the change of the backend's state; `None` if it stays as it was.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        self.change
    }

    /// Returns the time for which the backend is closed from now on, if the outcome closes it. The time may be longer than the cooldown
    /// of the outcome: an earlier refusal may hold for longer, and the least wait grows while a backend is refused right
    /// after each opening.
    #[must_use]
    pub fn closed_for(&self) -> Option<Duration> {
        self.closed_for
    }
}

/// The change of a backend by an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The backend was open, and is closed.
    Closed,
    /// The backend was failing or suspect, and is open.
    Opened,
}

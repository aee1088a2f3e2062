use std::time::Duration;

use super::{Cause, Counts};
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
    /// It has as many requests in flight as it may have ([`Backend::max_concurrency`]), and takes the next when one of them
    /// ends.
    Full,
}

/// What an outcome changed about a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It was open, and is closed.
    Closed,
    /// It was failing, and is open.
    Opened,
}

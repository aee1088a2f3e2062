use std::time::Duration;

use super::{Cause, Counts};
use crate::Backend;

/// The state of one backend at one instant.
#[derive(Clone, Debug)]
pub struct BackendSnapshot {
    backend: Backend,
    condition: Condition,
    cause: Option<Cause>,
    counts: Counts,
}

impl BackendSnapshot {
    pub(super) fn new(
        backend: Backend,
        condition: Condition,
        cause: Option<Cause>,
        counts: Counts,
    ) -> Self {
        Self {
            backend,
            condition,
            cause,
            counts,
        }
    }

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

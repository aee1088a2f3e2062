use std::time::{Duration, SystemTime};

use crate::{Candidate, Dimension, Source};

/// The chosen candidate: how long to wait, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    wait: Duration,
    source: Source,
    dimension: Dimension,
}

impl Hint {
    pub(crate) fn new(candidate: &Candidate, now: SystemTime) -> Self {
        Self {
            wait: candidate.when().wait(now),
            source: candidate.source(),
            dimension: candidate.dimension(),
        }
    }

    /// How long to wait, from the arrival of the response on.
    ///
    /// It may be zero and it may be [`Duration::MAX`]: the caller sets a floor and a cap.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Where the wait was found.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The limit that ran out, if the response tells.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }
}

use std::time::{Duration, SystemTime};

use crate::{Dimension, Source};

/// One thing a response says about when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    source: Source,
    dimension: Dimension,
    when: When,
    exhausted: bool,
}

impl Candidate {
    /// A wait that the response states for the request as a whole.
    pub(crate) fn stated(source: Source, when: When) -> Self {
        Self {
            source,
            dimension: Dimension::Unspecified,
            when,
            exhausted: false,
        }
    }

    /// The time when the limit of one dimension is renewed.
    pub(crate) fn reset(source: Source, dimension: Dimension, when: When, exhausted: bool) -> Self {
        Self {
            source,
            dimension,
            when,
            exhausted,
        }
    }

    /// Keeps the longer of the two if `other` says the same thing in the same way, and tells whether it does.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        if (self.source, self.dimension) != (other.source, other.dimension) {
            return false;
        }
        match (&mut self.when, other.when) {
            (When::After(mine), When::After(theirs)) => *mine = (*mine).max(theirs),
            (When::At(mine), When::At(theirs)) => *mine = (*mine).max(theirs),
            (When::After(_), When::At(_)) | (When::At(_), When::After(_)) => return false,
        }
        true
    }

    /// Where it was found.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The limit it speaks of.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// When to come back.
    pub fn when(&self) -> When {
        self.when
    }

    /// Whether the response shows that this dimension is the one that ran out.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }
}

/// A wait, or a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// So long after the response arrived.
    After(Duration),
    /// At this time, by the clock of the server.
    At(SystemTime),
}

impl When {
    /// How long that is from `now` on. Zero if it is over.
    pub fn wait(self, now: SystemTime) -> Duration {
        match self {
            Self::After(wait) => wait,
            Self::At(time) => time.duration_since(now).unwrap_or_default(),
        }
    }
}

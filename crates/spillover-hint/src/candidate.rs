use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::{Dimension, Period, Source};

/// One thing a response says about when to come back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// A wait, or the time since 1970 if `is_date`. A [`When`] would take half as much space again, and lists of candidates
    /// are moved about.
    pub(crate) span: Duration,
    pub(crate) is_date: bool,
    pub(crate) source: Source,
    pub(crate) dimension: Dimension,
    pub(crate) period: Period,
    pub(crate) exhausted: bool,
}

impl Candidate {
    /// A wait that the response states for the request as a whole.
    pub(crate) fn stated(source: Source, when: When) -> Self {
        let (span, is_date) = match when {
            When::After(wait) => (wait, false),
            // No parser yields a date before 1970.
            When::At(time) => (
                time.duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or_default(),
                true,
            ),
        };
        Self {
            span,
            is_date,
            source,
            dimension: Dimension::Unspecified,
            period: Period::Unknown,
            exhausted: false,
        }
    }

    /// Keeps the longer of the two if `other` says the same thing in the same way, and tells whether it does.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        if self.key() != other.key() {
            return false;
        }
        self.span = self.span.max(other.span);
        true
    }

    /// What makes two candidates the same; in the order of trust.
    pub(crate) fn key(&self) -> (Source, Dimension, Period, bool, bool) {
        (
            self.source,
            self.dimension,
            self.period,
            !self.exhausted,
            self.is_date,
        )
    }

    /// Where it was found.
    pub fn source(&self) -> Source {
        self.source
    }

    /// What the limit it speaks of counts.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// How long the window of that limit is.
    pub fn period(&self) -> Period {
        self.period
    }

    /// When to come back.
    pub fn when(&self) -> When {
        match self.is_date {
            true => When::At(SystemTime::UNIX_EPOCH + self.span),
            false => When::After(self.span),
        }
    }

    /// Whether the response shows that this limit is the one that ran out.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("source", &self.source)
            .field("dimension", &self.dimension)
            .field("period", &self.period)
            .field("when", &self.when())
            .field("exhausted", &self.exhausted)
            .finish()
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

    /// The later of two that are of one kind; else the wait, which needs no clock.
    pub(crate) fn later(self, other: Self) -> Self {
        match (self, other) {
            (Self::After(one), Self::After(two)) => Self::After(one.max(two)),
            (Self::At(one), Self::At(two)) => Self::At(one.max(two)),
            (after @ Self::After(_), Self::At(_)) | (Self::At(_), after @ Self::After(_)) => after,
        }
    }
}

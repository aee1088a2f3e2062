use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::{Dimension, Period, Source};

/// One wait or date that a response states.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// A wait, or the time since 1970 if `is_date` is set. [`When`] would be half as large again, and candidates are
    /// moved often.
    pub(crate) span: Duration,
    pub(crate) is_date: bool,
    pub(crate) source: Source,
    pub(crate) dimension: Dimension,
    pub(crate) period: Period,
    pub(crate) exhausted: bool,
}

impl Candidate {
    /// Creates a wait that the response states for the request as a whole.
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

    /// Merges `other` if it has the same key, keeping the longer wait. Returns true if it did.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        if self.key() != other.key() {
            return false;
        }
        self.span = self.span.max(other.span);
        true
    }

    /// Returns the identity of a candidate; keys sort in the order of trust.
    pub(crate) fn key(&self) -> (Source, Dimension, Period, bool, bool) {
        (
            self.source,
            self.dimension,
            self.period,
            !self.exhausted,
            self.is_date,
        )
    }

    /// Returns the field or text that stated it.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Returns the dimension of the limit it is about.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Returns the length of that limit's window.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Returns the wait or date.
    pub fn when(&self) -> When {
        match self.is_date {
            true => When::At(SystemTime::UNIX_EPOCH + self.span),
            false => When::After(self.span),
        }
    }

    /// Returns true if the response shows that this limit ran out.
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

/// A wait, or a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// A wait from the arrival of the response.
    After(Duration),
    /// A time by the server's clock.
    At(SystemTime),
}

impl When {
    /// Returns the wait from `now` on. Zero if the time is past.
    pub fn wait(self, now: SystemTime) -> Duration {
        match self {
            Self::After(wait) => wait,
            Self::At(time) => time.duration_since(now).unwrap_or_default(),
        }
    }

    /// Returns the later of two values of one kind. If the kinds differ, returns the wait, which needs no clock.
    pub(crate) fn later(self, other: Self) -> Self {
        match (self, other) {
            (Self::After(one), Self::After(two)) => Self::After(one.max(two)),
            (Self::At(one), Self::At(two)) => Self::At(one.max(two)),
            (after @ Self::After(_), Self::At(_)) | (Self::At(_), after @ Self::After(_)) => after,
        }
    }
}

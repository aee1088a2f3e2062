use crate::{Dimension, Period, When, headers::Key};

/// The values of one limit of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub(crate) key: Key,
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    pub(crate) reset: Option<When>,
}

impl Quota {
    /// Returns the quantity that is counted.
    pub fn dimension(&self) -> Dimension {
        self.key.dimension
    }

    /// Returns the length of the window, if the response states it.
    pub fn period(&self) -> Period {
        self.key.period
    }

    /// Returns the amount allowed per window.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Returns the remaining amount. It may exceed the limit: some vendors let it accumulate.
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// Returns the time of renewal. Anthropic means the time when the limit is full again; others mean the end of the
    /// window.
    pub fn reset(&self) -> Option<When> {
        self.reset
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.limit.is_none() && self.remaining.is_none() && self.reset.is_none()
    }
}

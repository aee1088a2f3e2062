use crate::{Dimension, Period, When, headers::Key};

/// What a response says of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub(crate) key: Key,
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    pub(crate) reset: Option<When>,
}

impl Quota {
    /// What is counted.
    pub fn dimension(&self) -> Dimension {
        self.key.dimension
    }

    /// How long the window is, if the response says so.
    pub fn period(&self) -> Period {
        self.key.period
    }

    /// How much is allowed in a window.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// How much is left of it. It may be more than the limit: some vendors let it grow.
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// When the limit is renewed. Anthropic means the time when all of it is back, others mean the end of the window.
    pub fn reset(&self) -> Option<When> {
        self.reset
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.limit.is_none() && self.remaining.is_none() && self.reset.is_none()
    }
}

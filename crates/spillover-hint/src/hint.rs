use std::time::{Duration, SystemTime};

use crate::{Candidate, Dimension, Period, Rule, Source};

/// The chosen candidate: the wait, its source, and the reason for the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    wait: Duration,
    source: Source,
    dimension: Dimension,
    period: Period,
    rule: Rule,
}

impl Hint {
    pub(crate) fn new(candidate: &Candidate, rule: Rule, now: SystemTime) -> Self {
        Self {
            wait: candidate.when().wait(now),
            source: candidate.source(),
            dimension: candidate.dimension(),
            period: candidate.period(),
            rule,
        }
    }

    pub(crate) fn because(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// Returns the wait from the arrival of the response on.
    ///
    /// The wait may be zero or [`Duration::MAX`]: the caller sets a floor and a cap.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Returns the field or text that stated the wait.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Returns the dimension of the exhausted limit, if the chosen source tells.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Returns the length of that limit's window, if the chosen source tells.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Returns the reason for the choice.
    pub fn rule(&self) -> Rule {
        self.rule
    }
}

use std::time::{Duration, SystemTime};

use crate::{Candidate, Dimension, Period, Rule, Source};

/// The chosen candidate: how long to wait, who says so, and why it is believed.
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

    /// What the limit that ran out counts, if the chosen source tells.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// How long the window of that limit is, if the chosen source tells.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Why this one was chosen.
    pub fn rule(&self) -> Rule {
        self.rule
    }
}

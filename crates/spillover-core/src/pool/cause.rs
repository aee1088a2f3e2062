use std::sync::Arc;

use spillover_hint::Source;

use crate::{Class, Outcome};

/// Why a backend is closed: the class of the refusal, where it said for how long, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    class: Class,
    source: Option<Source>,
    message: Option<Arc<str>>,
}

impl Cause {
    pub(super) fn from_outcome(outcome: &Outcome) -> Self {
        Self {
            class: outcome.class(),
            source: outcome.cooldown().and_then(|cooldown| cooldown.source()),
            message: outcome.message().cloned(),
        }
    }

    /// The class of the refusal.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// Which part of the answer said for how long; `None` for a default.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.source
    }

    /// The backend's own words, where they are known.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

use std::sync::Arc;

use spillover_hint::Source;

use crate::{Class, Outcome};

/// The reason why a backend is closed: the class of the refusal, the source of the cooldown, and the backend's message.
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

    /// Returns the class of the refusal.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// Returns the part of the response that stated the wait. `None` for a default.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.source
    }

    /// Returns the backend's own message, if it was read.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

use std::{sync::Arc, time::Duration};

use crate::{Class, Cooldown};

/// How an attempt went: its class, for how long the backend is closed because of it, and what the backend said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    class: Class,
    cooldown: Option<Cooldown>,
    message: Option<Arc<str>>,
    is_final: bool,
}

impl Outcome {
    /// An outcome of this class. One that does not [cool](Class::is_cooling) closes nothing, whatever the cooldown.
    #[must_use]
    pub fn new(class: Class, cooldown: Cooldown) -> Self {
        Self {
            class,
            cooldown: class.is_cooling().then_some(cooldown),
            message: None,
            is_final: false,
        }
    }

    /// The request was served.
    #[must_use]
    pub fn success() -> Self {
        Self::new(Class::Success, Cooldown::default())
    }

    /// Creates the outcome of a request that was served and was the last that the backend takes for this long.
    #[must_use]
    pub fn success_exhausted(cooldown: Cooldown) -> Self {
        Self {
            cooldown: Some(cooldown),
            ..Self::success()
        }
    }

    /// The request is at fault, not the backend.
    #[must_use]
    pub fn client_error() -> Self {
        Self::new(Class::ClientError, Cooldown::default())
    }

    /// The backend throttles for this long.
    #[must_use]
    pub fn throttled(cooldown: Duration) -> Self {
        Self::new(Class::Throttled, Cooldown::new(cooldown, None))
    }

    /// The backend fails, and is left alone for this long.
    #[must_use]
    pub fn failing(cooldown: Duration) -> Self {
        Self::new(Class::Failing, Cooldown::new(cooldown, None))
    }

    /// Adds the backend's own words.
    #[must_use]
    pub fn with_message(self, message: impl Into<Arc<str>>) -> Self {
        Self {
            message: Some(message.into()),
            ..self
        }
    }

    /// The same with the time for which the pool really closed the backend
    /// ([`Recorded::closed_for`](crate::Recorded::closed_for)), if the outcome has a cooldown.
    #[must_use]
    pub fn closed_for(self, closed_for: Option<Duration>) -> Self {
        let lasting = |cooldown: Cooldown| {
            closed_for.map_or(cooldown, |closed_for| cooldown.with_duration(closed_for))
        };
        Self {
            cooldown: self.cooldown.map(lasting),
            ..self
        }
    }

    /// Makes it the last of the request, even if another backend may serve that: the server asked for it.
    #[must_use]
    pub fn without_retry(self) -> Self {
        Self {
            is_final: true,
            ..self
        }
    }

    /// Whether the request may go to another backend: it was refused, and the server does not forbid it.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.class.is_refusal() && !self.is_final
    }

    /// What the answer means.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// For how long the backend is closed because of it.
    #[must_use]
    pub fn cooldown(&self) -> Option<Cooldown> {
        self.cooldown
    }

    /// The backend's own words, where they were read.
    #[must_use]
    pub fn message(&self) -> Option<&Arc<str>> {
        self.message.as_ref()
    }
}

use std::{sync::Arc, time::Duration};

use crate::{Class, Cooldown};

/// The outcome of an attempt: its class, the time for which the backend is closed, and the backend's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    class: Class,
    cooldown: Option<Cooldown>,
    message: Option<Arc<str>>,
    is_final: bool,
}

impl Outcome {
    /// Creates an outcome of this class. A class that does not [cool](Class::is_cooling) closes nothing, whatever the cooldown.
    #[must_use]
    pub fn new(class: Class, cooldown: Cooldown) -> Self {
        Self {
            class,
            cooldown: class.is_cooling().then_some(cooldown),
            message: None,
            is_final: false,
        }
    }

    /// Creates the outcome of a request that was served.
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

    /// Creates the outcome of a request that is at fault itself.
    #[must_use]
    pub fn client_error() -> Self {
        Self::new(Class::ClientError, Cooldown::default())
    }

    /// Creates the outcome of a refusal by a backend that throttles for this long.
    #[must_use]
    pub fn throttled(cooldown: Duration) -> Self {
        Self::new(Class::Throttled, Cooldown::new(cooldown, None))
    }

    /// Creates the outcome of a failure, after which the backend is left alone for this long.
    #[must_use]
    pub fn failing(cooldown: Duration) -> Self {
        Self::new(Class::Failing, Cooldown::new(cooldown, None))
    }

    /// Adds the backend's own message.
    #[must_use]
    pub fn with_message(self, message: impl Into<Arc<str>>) -> Self {
        Self {
            message: Some(message.into()),
            ..self
        }
    }

    /// Returns the same outcome with the time for which the pool really closed the backend
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

    /// Forbids another attempt, even if another backend may serve the request, because the server asked for that.
    #[must_use]
    pub fn without_retry(self) -> Self {
        Self {
            is_final: true,
            ..self
        }
    }

    /// Returns true if the request may go to another backend: it was refused, and the server does not forbid it.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.class.is_refusal() && !self.is_final
    }

    /// Returns the class of the answer.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// Returns the time for which the backend is closed because of the answer.
    #[must_use]
    pub fn cooldown(&self) -> Option<Cooldown> {
        self.cooldown
    }

    /// Returns the backend's own message, if it was read.
    #[must_use]
    pub fn message(&self) -> Option<&Arc<str>> {
        self.message.as_ref()
    }
}

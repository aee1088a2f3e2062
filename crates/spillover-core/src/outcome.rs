use std::{sync::Arc, time::Duration};

use crate::Cooldown;

/// What an answer means for the backend that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The request was served.
    Success,
    /// The backend is at a rate limit: it will take requests again, and often says when.
    Throttled,
    /// A quota of a day or a month is used up, or a bill is not paid: it will take long.
    Quota,
    /// The request is larger than this backend ever takes. Another may; nothing is held against this one.
    TooLarge,
    /// The backend does not take this request for some other reason. Another may; nothing is held against this one.
    Declined,
    /// The backend began no answer within its share of the time that the client waits. Another may be quicker; nothing is held
    /// against this one, but a run of such attempts makes it [suspect](crate::Condition::Suspect).
    Late,
    /// The backend has no capacity for anybody at the moment.
    Capacity,
    /// The backend does not work now: 5xx, a timeout, no connection.
    Failing,
    /// The backend refused the credential that is the pool's own.
    Credential,
    /// The request itself is at fault; no other backend would take it.
    ClientError,
    /// The connection ended before the backend looked at the request, as a kept connection may at any time. The request is
    /// sent once more to the same backend, and nothing is held against that.
    Unprocessed,
}

impl Class {
    /// Whether another backend may serve the request that this one did not.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        !matches!(self, Self::Success | Self::ClientError)
    }

    /// Whether an answer of this class closes the backend for a time.
    #[must_use]
    pub fn is_cooling(self) -> bool {
        let is_about_the_request = matches!(
            self,
            Self::TooLarge | Self::Declined | Self::Unprocessed | Self::Late
        );
        self.is_refusal() && !is_about_the_request
    }

    /// Returns whether the backend takes requests again by itself, within its cooldown: it is at a rate limit, or has no capacity
    /// at the moment.
    ///
    /// A client that comes back later is served then. It is not after [`Quota`](Self::Quota) or [`Credential`](Self::Credential),
    /// which the operator has to see to.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Throttled | Self::Capacity)
    }

    /// The class as a log field or a metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Throttled => "throttled",
            Self::Quota => "quota",
            Self::TooLarge => "too_large",
            Self::Declined => "declined",
            Self::Late => "late",
            Self::Capacity => "capacity",
            Self::Failing => "failing",
            Self::Credential => "credential",
            Self::ClientError => "client_error",
            Self::Unprocessed => "unprocessed",
        }
    }
}

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

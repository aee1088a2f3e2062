use std::time::Duration;

use crate::Cooldown;

/// What an answer means for the backend that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The request was served.
    Success,
    /// The backend is at a rate limit: it will take requests again, and often says when.
    Throttled,
    /// The backend does not work now: 5xx, a timeout, no connection.
    Failing,
    /// The backend refused the credential that is the pool's own.
    Credential,
    /// The request itself is at fault; no other backend would take it.
    ClientError,
}

impl Class {
    /// Whether another backend may serve the request that this one did not.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        match self {
            Self::Throttled | Self::Failing | Self::Credential => true,
            Self::Success | Self::ClientError => false,
        }
    }

    /// The class as a log field or a metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Throttled => "throttled",
            Self::Failing => "failing",
            Self::Credential => "credential",
            Self::ClientError => "client_error",
        }
    }
}

/// How an attempt went: its class, and for how long the backend is closed because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    class: Class,
    cooldown: Option<Cooldown>,
}

impl Outcome {
    /// An outcome of this class. Classes that are no refusal close nothing, whatever the cooldown.
    #[must_use]
    pub fn new(class: Class, cooldown: Cooldown) -> Self {
        Self {
            class,
            cooldown: class.is_refusal().then_some(cooldown),
        }
    }

    /// The request was served.
    #[must_use]
    pub fn success() -> Self {
        Self {
            class: Class::Success,
            cooldown: None,
        }
    }

    /// The request is at fault, not the backend.
    #[must_use]
    pub fn client_error() -> Self {
        Self {
            class: Class::ClientError,
            cooldown: None,
        }
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
}

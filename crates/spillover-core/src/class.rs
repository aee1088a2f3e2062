/// The meaning of an answer for the backend that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The request was served.
    Success,
    /// The backend is at a rate limit. Its response often says when it takes requests again.
    Throttled,
    /// A quota of a day or a month is used up, or a bill is not paid. Recovery takes long.
    Quota,
    /// The request is larger than this backend ever takes. Another backend may take it. This one stays open.
    TooLarge,
    /// The backend does not take this request for some other reason. Another backend may take it. This one stays open.
    Declined,
    /// The backend began no response within its share of the time that the client waits. Another may be quicker. This
    /// one stays open, but several such attempts in a row make it [suspect](crate::Condition::Suspect).
    Late,
    /// The backend has no capacity at the moment.
    Capacity,
    /// The backend fails: 5xx, a timeout, no connection.
    Failing,
    /// The backend refused the credential that the pool has for it.
    Credential,
    /// The request itself is at fault; no other backend would take it.
    ClientError,
    /// The connection ended before the backend processed the request, as a keep-alive connection may at any time. The
    /// request is sent once more to the same backend, which stays open.
    Unprocessed,
}

impl Class {
    /// Returns true if another backend may serve the request that this one did not.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        !matches!(self, Self::Success | Self::ClientError)
    }

    /// Returns true if an answer of this class closes the backend for a time.
    #[must_use]
    pub fn is_cooling(self) -> bool {
        let is_about_the_request = matches!(
            self,
            Self::TooLarge | Self::Declined | Self::Unprocessed | Self::Late
        );
        self.is_refusal() && !is_about_the_request
    }

    /// Returns true if the backend recovers by itself within its cooldown, after a rate limit or a lack of capacity.
    ///
    /// A client that comes back later is served. After [`Quota`](Self::Quota) or [`Credential`](Self::Credential) an
    /// operator has to act.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Throttled | Self::Capacity)
    }

    /// Returns the class as a log field or a metric label.
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

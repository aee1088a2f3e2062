use std::fmt;

/// The kind of a refusal.
///
/// Check the kind before the wait. For example, a backend without credit does not recover in the two seconds it states,
/// and a request that is too large says nothing about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A limit per second, minute or hour ran out. The backend recovers soon, and the response usually says when.
    Throttled,
    /// The backend is too busy, independent of the caller: 503, 529, "high demand", "overloaded".
    Capacity,
    /// The request is larger than this backend ever accepts. Other backends may accept it, and this one accepts smaller
    /// requests.
    TooLarge,
    /// A limit per day or month ran out, or the account has no credit. Recovery takes long.
    Quota,
    /// 401, 403 or similar. Only the caller knows if the key was its own.
    Credential,
    /// The backend is broken: other 5xx, and its own timeouts.
    Failing,
    /// The backend lacks the model, deployment, file or feature that the request names, or this account may not use it.
    /// Another backend may have it, and this one serves other requests.
    Missing,
    /// The request is invalid, for any backend.
    Client,
}

impl Refusal {
    /// Returns lower-case words with hyphens, for a log or a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Capacity => "capacity",
            Self::TooLarge => "too-large",
            Self::Quota => "quota",
            Self::Credential => "credential",
            Self::Failing => "failing",
            Self::Missing => "missing",
            Self::Client => "client",
        }
    }

    /// Returns true if the backend needs a cooldown.
    ///
    /// `TooLarge`, `Missing` and `Client` need none, because other requests succeed. After [`Credential`](Self::Credential) the
    /// caller decides, because it knows whose key was refused.
    pub const fn cools(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Capacity | Self::Quota | Self::Failing
        )
    }

    /// Combines the kind by the status (`self`) with the kind by the details (`found`).
    ///
    /// Details are usually more specific than the status. Not always: `invalid_request_error` beside 429 adds nothing.
    pub(crate) const fn refined(self, found: Self) -> Self {
        let is_better = match self {
            Self::TooLarge | Self::Quota | Self::Missing => false,
            Self::Throttled => matches!(found, Self::Quota | Self::TooLarge | Self::Capacity),
            Self::Capacity => matches!(found, Self::Quota),
            Self::Failing => !matches!(found, Self::Client | Self::Credential | Self::TooLarge),
            Self::Credential => !matches!(found, Self::Client | Self::Failing | Self::TooLarge),
            Self::Client => !matches!(found, Self::Failing),
        };
        if is_better { found } else { self }
    }

    /// Combines the kind by the status with the kind by a sentence.
    ///
    /// Errors of the request and internal errors may quote the client's text, so a sentence in them never closes a
    /// backend.
    pub(crate) const fn refined_by_prose(self, said: Self) -> Self {
        let is_better = match self {
            Self::TooLarge | Self::Quota | Self::Capacity | Self::Missing => false,
            Self::Throttled => matches!(said, Self::Quota | Self::TooLarge | Self::Capacity),
            Self::Failing => matches!(said, Self::Capacity),
            Self::Credential => matches!(said, Self::Quota | Self::Throttled),
            Self::Client => matches!(said, Self::TooLarge),
        };
        if is_better { said } else { self }
    }

    /// Ranks the kinds within one body; the most specific one wins.
    pub(crate) const fn weight(self) -> u8 {
        match self {
            Self::Quota => 6,
            Self::TooLarge => 5,
            Self::Capacity => 4,
            Self::Credential => 3,
            Self::Throttled => 2,
            Self::Failing | Self::Missing => 1,
            Self::Client => 0,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

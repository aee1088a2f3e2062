use std::fmt;

/// What kind of refusal a response is.
///
/// The kind comes before the wait: a backend that is out of money is not back in the two seconds it names, and one that
/// cannot take this request can take the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A limit per second, minute or hour: it is back soon, and the response mostly says when.
    Throttled,
    /// The backend is too busy, whoever asks: 503, 529, "high demand", "overloaded".
    Capacity,
    /// The request is larger than this backend ever takes. Another may take it, and this one takes others.
    TooLarge,
    /// A limit per day or month, or no money left: it stays so for long.
    Quota,
    /// 401, 403 or their like. Only the caller knows whether the key was its own.
    Credential,
    /// The backend is broken: other 5xx, and timeouts of its own.
    Failing,
    /// The request is at fault, and is so everywhere.
    Client,
}

impl Refusal {
    /// Lower-case words with hyphens, fit for a log or the label of a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Capacity => "capacity",
            Self::TooLarge => "too-large",
            Self::Quota => "quota",
            Self::Credential => "credential",
            Self::Failing => "failing",
            Self::Client => "client",
        }
    }

    /// Whether the backend is to be left alone for a while.
    ///
    /// It is not when the request was too large or at fault: others will be taken. After a [`Credential`](Self::Credential)
    /// refusal it depends on whose key it was, and the caller decides.
    pub const fn cools(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Capacity | Self::Quota | Self::Failing
        )
    }

    /// What a refusal is after all, when the response's status made it `self` and its details say `found`.
    ///
    /// A status is the coarser of the two, yet some details say less: `invalid_request_error` beside 429 is no news.
    pub(crate) const fn refined(self, found: Self) -> Self {
        let is_better = match self {
            Self::TooLarge | Self::Quota => false,
            Self::Throttled => matches!(found, Self::Quota | Self::TooLarge | Self::Capacity),
            Self::Capacity => matches!(found, Self::Quota),
            Self::Failing => !matches!(found, Self::Client | Self::Credential | Self::TooLarge),
            Self::Credential => !matches!(found, Self::Client | Self::Failing | Self::TooLarge),
            Self::Client => !matches!(found, Self::Failing),
        };
        if is_better { found } else { self }
    }

    /// The same when only a sentence says it.
    ///
    /// An error of the request, or within the server, may quote what the client sent. So such a sentence closes no backend.
    pub(crate) const fn refined_by_prose(self, said: Self) -> Self {
        let is_better = match self {
            Self::TooLarge | Self::Quota | Self::Capacity => false,
            Self::Throttled => matches!(said, Self::Quota | Self::TooLarge | Self::Capacity),
            Self::Failing => matches!(said, Self::Capacity),
            Self::Credential => matches!(said, Self::Quota | Self::Throttled),
            Self::Client => matches!(said, Self::TooLarge),
        };
        if is_better { said } else { self }
    }

    /// Of several things that one body says, the most telling.
    pub(crate) const fn weight(self) -> u8 {
        match self {
            Self::Quota => 6,
            Self::TooLarge => 5,
            Self::Capacity => 4,
            Self::Credential => 3,
            Self::Throttled => 2,
            Self::Failing => 1,
            Self::Client => 0,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

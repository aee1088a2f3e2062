use std::fmt;

/// Why a candidate was chosen, as one of the rules of [`Hints::choose`](crate::Hints::choose).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// It is the most trusted of the waits that the server states for this request.
    Stated,
    /// A more trusted statement was zero, and this one is not.
    NotZero,
    /// The milliseconds were the same number as the seconds: one unit was mistaken for the other.
    SameNumber,
    /// The stated wait was zero or one second beside a renewal period, which says nothing, and this limit is known to have
    /// run out for longer.
    KnownLie,
    /// The backend refused again after the stated wait was obeyed, and this limit is known to have run out for longer.
    RefusedAgain,
    /// Nothing is stated, and this limit is known to have run out.
    Exhausted,
    /// Nothing is stated, and this limit may have run out: the response does not say what is left of it.
    Unspecific,
    /// Nothing but a sentence in the body.
    LastResort,
}

impl Rule {
    /// Lower-case words with hyphens, fit for a log or the label of a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::NotZero => "not-zero",
            Self::SameNumber => "same-number",
            Self::KnownLie => "known-lie",
            Self::RefusedAgain => "refused-again",
            Self::Exhausted => "exhausted",
            Self::Unspecific => "unspecific",
            Self::LastResort => "last-resort",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

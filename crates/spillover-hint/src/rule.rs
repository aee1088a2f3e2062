use std::fmt;

/// The reason why a candidate was chosen: one of the rules of [`Hints::choose`](crate::Hints::choose).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The most trusted wait that the server states for this request.
    Stated,
    /// A more trusted statement was zero; this one is not.
    NotZero,
    /// Milliseconds and seconds were the same number: the server confused the units.
    SameNumber,
    /// The stated wait was zero or one second beside a renewal period, and this exhausted limit has a longer reset.
    KnownLie,
    /// The backend refused again after the stated wait, and this exhausted limit has a longer reset.
    RefusedAgain,
    /// No wait is stated, and this limit is known to have run out.
    Exhausted,
    /// No wait is stated, and this limit may have run out: its remaining part is unknown.
    Unspecific,
    /// Only a sentence in the body states a wait.
    LastResort,
}

impl Rule {
    /// Returns lower-case words with hyphens, for a log or a metric label.
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

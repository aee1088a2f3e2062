use std::fmt;

/// What a limit counts.
///
/// An upstream limits several things at once, each with its own period: Groq counts requests by the day and tokens by the
/// minute. The reset of one says nothing about another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dimension {
    /// The response does not say.
    #[default]
    Unspecified,
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
}

impl Dimension {
    /// A lower-case word, fit for a log or the label of a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

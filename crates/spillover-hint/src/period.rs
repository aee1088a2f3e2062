use std::{fmt, time::Duration};

/// The length of a limit's window.
///
/// A limit per second, minute or hour recovers soon. An exhausted limit per day or month is a
/// [`Quota`](crate::Refusal::Quota).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Period {
    /// Not stated by the response.
    #[default]
    Unknown,
    /// Less than a minute.
    Second,
    /// Less than an hour.
    Minute,
    /// Less than a day.
    Hour,
    /// Less than four weeks.
    Day,
    /// Four weeks or more.
    Month,
}

impl Period {
    /// Returns a lower-case word, for a log or a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Returns true if an exhausted limit of this period recovers too late to wait for: a day or a month.
    pub const fn is_long(self) -> bool {
        matches!(self, Self::Day | Self::Month)
    }

    pub(crate) const fn from_window(window: Duration) -> Self {
        match window.as_secs() {
            0..60 => Self::Second,
            60..3_600 => Self::Minute,
            3_600..86_400 => Self::Hour,
            86_400..2_419_200 => Self::Day,
            2_419_200.. => Self::Month,
        }
    }

    /// Returns the period for the end of a field's name.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"second" => Self::Second,
            b"minute" => Self::Minute,
            b"hour" => Self::Hour,
            b"day" => Self::Day,
            b"month" => Self::Month,
            _ => return None,
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

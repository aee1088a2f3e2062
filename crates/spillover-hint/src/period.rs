use std::{fmt, time::Duration};

/// How long the window of a limit is.
///
/// What ran out for a minute is back in a minute. What ran out for a day or a month is a
/// [`Quota`](crate::Refusal::Quota).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Period {
    /// The response does not say.
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
    /// A lower-case word, fit for a log or the label of a metric.
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

    /// Whether a limit of this period, once it ran out, stays so for longer than one waits for.
    pub const fn is_long(self) -> bool {
        matches!(self, Self::Day | Self::Month)
    }

    pub(crate) const fn of(window: Duration) -> Self {
        match window.as_secs() {
            0..60 => Self::Second,
            60..3_600 => Self::Minute,
            3_600..86_400 => Self::Hour,
            86_400..2_419_200 => Self::Day,
            2_419_200.. => Self::Month,
        }
    }

    /// The period that the name of a field ends with.
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

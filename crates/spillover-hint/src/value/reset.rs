use std::time::{Duration, SystemTime};

use crate::{
    When,
    value::{
        date,
        decimal::{Decimal, plain},
        duration::{self, Unit, duration},
        timestamp,
    },
};

/// Reads the renewal time of a limit: a duration (OpenAI, Groq), bare seconds (Azure), an epoch in seconds (GitHub) or
/// milliseconds (OpenRouter), a timestamp (Anthropic) or a date.
pub(crate) fn parse(text: &[u8]) -> Option<When> {
    if let Some(seconds) = plain(text).map(Duration::from_secs)
        && seconds < LONGEST_DELTA
    {
        return Some(When::After(seconds));
    }
    let text = match text.trim_ascii() {
        [b'"', inner @ .., b'"'] => inner,
        text => text,
    };
    let has_unit = text.last().is_some_and(u8::is_ascii_alphabetic);
    if !has_unit && let Some(number) = Decimal::parse(text) {
        return seconds_or_epoch(number);
    }
    if let Some(wait) = duration::parse(text, Unit::SECOND) {
        let has_unit = has_unit || text.iter().any(u8::is_ascii_alphabetic);
        return (has_unit || wait < LONGEST_DELTA).then_some(When::After(wait));
    }
    timestamp::parse(text)
        .or_else(|| date::parse(text))
        .map(When::At)
}

/// Tells an epoch from a number of seconds by its size. Returns `None` for numbers in between.
fn seconds_or_epoch(number: Decimal) -> Option<When> {
    let wait = duration(number.times(1_000_000_000));
    if wait < LONGEST_DELTA {
        return Some(When::After(wait));
    }
    epoch(number, wait)
}

/// Returns the time that a number denotes as an epoch, if it is large enough.
pub(crate) fn epoch(number: Decimal, as_seconds: Duration) -> Option<When> {
    let since = match as_seconds {
        seconds if seconds < FIRST_EPOCH => return None,
        seconds if seconds < FIRST_MILLIS => seconds,
        _ => duration(number.times(1_000_000)),
    };
    let time = SystemTime::UNIX_EPOCH.checked_add(since);
    Some(time.map_or(When::After(Duration::MAX), When::At))
}

/// No limit has a period longer than a month.
const LONGEST_DELTA: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// As seconds, this is September 2001; as a duration it would be thirty years.
pub(crate) const FIRST_EPOCH: Duration = Duration::from_secs(1_000_000_000);

/// As milliseconds, this is March 1973; as seconds it would be the year 5138.
const FIRST_MILLIS: Duration = Duration::from_secs(100_000_000_000);

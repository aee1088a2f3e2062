use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// Returns how long the client of a request with these fields waits for an answer, from when the request was sent. `now` is
/// the time of day, for the field that names an instant. `None` when the client does not say.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use http::HeaderMap;
/// use tower_spillover::patience::patience_of;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(patience_of(&headers, SystemTime::UNIX_EPOCH), None);
/// headers.insert("x-stainless-timeout", "600".parse()?);
/// headers.insert("grpc-timeout", "1500m".parse()?);
/// assert_eq!(patience_of(&headers, SystemTime::UNIX_EPOCH), Some(Duration::from_millis(1500)));
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn patience_of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    patience(headers)?.left(Duration::ZERO, || now)
}

/// The patience that the fields of a request tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StatedPatience {
    /// The patience from when the request was sent.
    total: Option<Duration>,
    until: Option<SystemTime>,
}

/// Reads the fields in one pass; `None` when there is none.
pub(super) fn patience(headers: &HeaderMap) -> Option<StatedPatience> {
    let mut stated = StatedPatience::default();
    for (name, value) in headers {
        // Matching compares the lengths of names first, which tells most fields apart.
        let value = value.as_bytes();
        let total = match name.as_str() {
            "grpc-timeout" => grpc(value),
            "x-server-timeout" | "x-stainless-timeout" | "x-stainless-read-timeout" => {
                seconds(value)
            }
            "amz-sdk-request" => {
                stated.until = ttl(value).or(stated.until);
                continue;
            }
            _ => continue,
        };
        stated.total = [stated.total, total].into_iter().flatten().min();
    }
    (stated != StatedPatience::default()).then_some(stated)
}

impl StatedPatience {
    /// Returns what is left after so much time; `None` when that is too little to be divided.
    pub(super) fn left(
        self,
        elapsed: Duration,
        now: impl FnOnce() -> SystemTime,
    ) -> Option<Duration> {
        let total = self.total.map(|total| total.saturating_sub(elapsed));
        let until = self
            .until
            .map(|until| until.duration_since(now()).unwrap_or_default());
        let left = [total, until].into_iter().flatten().min()?;
        (left >= LEAST).then_some(left)
    }
}

/// Seconds, with or without decimals.
fn seconds(value: &[u8]) -> Option<Duration> {
    let is_decimal = value.len() <= 16 && value.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    let text = std::str::from_utf8(value).ok().filter(|_| is_decimal)?;
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// Parses a duration of at most eight digits and a letter for the unit.
fn grpc(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.len() > 8 {
        return None;
    }
    let number = number(digits)?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Parses the `ttl` of `ttl=20201231T235959Z; attempt=2; max=3`.
fn ttl(value: &[u8]) -> Option<SystemTime> {
    let mut parts = value.split(|&byte| byte == b';');
    let ttl = parts.find_map(|part| part.trim_ascii().strip_prefix(b"ttl="))?;
    let [date @ .., b'T', h1, h2, m1, m2, s1, s2, b'Z'] = ttl else {
        return None;
    };
    let [year @ .., mo1, mo2, d1, d2] = date else {
        return None;
    };
    let year = number(year).filter(|_| year.len() == 4)?;
    let (month, day) = (number(&[*mo1, *mo2])?, number(&[*d1, *d2])?);
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let second = number(&[*s1, *s2])?;
    let is_valid = (1970..).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (hour, minute, second) <= (23, 59, 60);
    if !is_valid || minute > 59 || second > 60 {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Days from 1970-01-01, in a calendar whose years begin in March, so that leap days are last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + day_of_year - 719_468
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Less is no time in which two backends could answer.
const LEAST: Duration = Duration::from_millis(100);

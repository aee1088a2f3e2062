use std::time::Duration;

use crate::value::decimal::{Decimal, plain};

/// Reads a number of `bare` units, or numbers with units, or several of these joined by a comma and a space.
///
/// Proxies join the lines of a field by a comma and a space (RFC 9110, section 5.3). A comma without a space may
/// separate thousands, so `1,000` is rejected. The longest member counts, and only if all can be read.
pub(crate) fn parse(text: &[u8], bare: Unit) -> Option<Duration> {
    if let Some(number) = plain(text) {
        return Some(bare.times(number));
    }
    let mut longest = Duration::ZERO;
    for (index, member) in text.split(|byte| *byte == b',').enumerate() {
        if index > 0 && !member.starts_with(b" ") {
            return None;
        }
        longest = longest.max(single(member, bare)?);
    }
    Some(longest)
}

/// Reads the duration at the start of a text, as found in sentences: `2m 13s`, `1 hour and 5 minutes`, `01:23:45`, or a
/// number without a unit at the end of the sentence, which counts seconds.
pub(crate) fn prefix(text: &[u8]) -> Option<Duration> {
    if let Some(wait) = clock(text) {
        return Some(wait);
    }
    let mut nanos = None;
    let mut text = text;
    while let Some((number, rest)) = Decimal::prefix(text) {
        let spaced = rest.trim_ascii_start();
        let (name, after) = spaced.split_at(name_len(spaced));
        let Some(unit) = Unit::named(name) else {
            let is_bare = nanos.is_none() && name.is_empty() && ends_here(after);
            return is_bare
                .then(|| duration(number.times(Unit::SECOND.0)))
                .or(nanos.map(duration));
        };
        nanos = Some(nanos.unwrap_or(0_u128).saturating_add(number.times(unit.0)));
        let after = after.trim_ascii_start();
        let after = after.strip_prefix(b",").unwrap_or(after).trim_ascii_start();
        text = after.strip_prefix(b"and ").unwrap_or(after);
    }
    nanos.map(duration)
}

/// Returns true at the end of the text or at a separator.
fn ends_here(text: &[u8]) -> bool {
    let next = text.first();
    next.is_none_or(|next| next.is_ascii_whitespace() || b".,;!?)]\"'".contains(next))
}

/// Reads hours, minutes and seconds of two digits each, as Azure API Management writes them.
fn clock(text: &[u8]) -> Option<Duration> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else {
        return None;
    };
    if rest
        .first()
        .is_some_and(|next| next.is_ascii_digit() || *next == b':')
    {
        return None;
    }
    let number = |tens: &u8, ones: &u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| u64::from(tens - b'0') * 10 + u64::from(ones - b'0'))
    };
    let (hours, minutes, seconds) = (number(h1, h2)?, number(m1, m2)?, number(s1, s2)?);
    (minutes < 60 && seconds < 60)
        .then(|| Duration::from_secs((hours * 60 + minutes) * 60 + seconds))
}

/// A unit of time, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit(u64);

impl Unit {
    pub(crate) const SECOND: Self = Self(1_000_000_000);
    pub(crate) const MILLISECOND: Self = Self(1_000_000);

    fn times(self, number: u64) -> Duration {
        match number.checked_mul(self.0) {
            Some(nanos) => Duration::from_nanos(nanos),
            None => duration(u128::from(number) * u128::from(self.0)),
        }
    }

    /// Returns the unit for a name of Go's `time.ParseDuration` or for an English word.
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"ns" => Self(1),
            // The micro sign, the Greek letter that looks like it, and the micro sign in Latin-1.
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" | b"\xb5s" => Self(1_000),
            b"ms" | b"msec" | b"millisecond" | b"milliseconds" => Self::MILLISECOND,
            b"s" | b"sec" | b"secs" | b"second" | b"seconds" => Self::SECOND,
            b"m" | b"min" | b"mins" | b"minute" | b"minutes" => Self(60 * Self::SECOND.0),
            b"h" | b"hr" | b"hrs" | b"hour" | b"hours" => Self(60 * 60 * Self::SECOND.0),
            b"d" | b"day" | b"days" => Self(24 * 60 * 60 * Self::SECOND.0),
            _ => return None,
        })
    }
}

fn single(text: &[u8], bare: Unit) -> Option<Duration> {
    let (mut number, mut rest) = Decimal::prefix(unquote(text.trim_ascii()))?;
    if rest.is_empty() {
        return Some(duration(number.times(bare.0)));
    }

    let mut nanos = 0_u128;
    loop {
        rest = rest.trim_ascii_start();
        let (name, after) = rest.split_at(name_len(rest));
        nanos = nanos.saturating_add(number.times(Unit::named(name)?.0));
        let after = after.trim_ascii_start();
        if after.is_empty() {
            return Some(duration(nanos));
        }
        (number, rest) = Decimal::prefix(after)?;
    }
}

fn unquote(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    }
}

fn name_len(text: &[u8]) -> usize {
    text.iter()
        .position(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic())
        .unwrap_or(text.len())
}

pub(crate) fn duration(nanos: u128) -> Duration {
    if let Ok(nanos) = u64::try_from(nanos) {
        return Duration::from_nanos(nanos);
    }
    let second = u128::from(Unit::SECOND.0);
    u64::try_from(nanos / second).map_or(Duration::MAX, |seconds| {
        Duration::new(seconds, (nanos % second) as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field values may not hold control bytes, but bodies and trailers may.
    #[test]
    fn control_bytes_are_absent() {
        for text in [&b"30\0"[..], b"\0", b"3\x000", b"30\x7f", b"\x1b30"] {
            assert_eq!(parse(text, Unit::SECOND), None, "{text:?}");
        }
        assert_eq!(
            parse(b"30\r\n", Unit::SECOND),
            Some(Duration::from_secs(30))
        );
    }
}

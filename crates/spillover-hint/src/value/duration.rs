use std::time::Duration;

use crate::value::decimal::Decimal;

/// Reads a number of `bare` units, or numbers with units of their own, or several of these joined by a comma and a space.
///
/// A proxy joins the lines of a field so (RFC 9110, section 5.3). A comma without a space may separate thousands, so that
/// `1,000` has no value. The longest of the members counts, and only if all of them can be read.
pub(crate) fn parse(text: &[u8], bare: Unit) -> Option<Duration> {
    let mut longest = Duration::ZERO;
    for (index, member) in text.split(|byte| *byte == b',').enumerate() {
        if index > 0 && !member.starts_with(b" ") {
            return None;
        }
        longest = longest.max(single(member, bare)?);
    }
    Some(longest)
}

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit(u64);

impl Unit {
    pub(crate) const SECOND: Self = Self(1_000_000_000);
    pub(crate) const MILLISECOND: Self = Self(1_000_000);

    /// The units of Go's `time.ParseDuration`, and the words that people write.
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"ns" => Self(1),
            // The micro sign, the Greek letter that looks like it, and the former in Latin-1.
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" | b"\xb5s" => Self(1_000),
            b"ms" => Self::MILLISECOND,
            b"s" | b"sec" | b"secs" | b"second" | b"seconds" => Self::SECOND,
            b"m" | b"min" | b"mins" | b"minute" | b"minutes" => Self(60 * Self::SECOND.0),
            b"h" | b"hour" | b"hours" => Self(60 * 60 * Self::SECOND.0),
            _ => return None,
        })
    }
}

fn single(text: &[u8], bare: Unit) -> Option<Duration> {
    let mut text = unquote(text.trim_ascii());
    if let Some(number) = Decimal::parse(text) {
        return Some(duration(number.times(bare.0)));
    }

    let mut nanos = 0_u128;
    loop {
        let (number, rest) = Decimal::prefix(text)?;
        let rest = rest.trim_ascii_start();
        let (name, rest) = rest.split_at(name_len(rest));
        nanos = nanos.saturating_add(number.times(Unit::named(name)?.0));
        text = rest.trim_ascii_start();
        if text.is_empty() {
            return Some(duration(nanos));
        }
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

fn duration(nanos: u128) -> Duration {
    let second = u128::from(Unit::SECOND.0);
    u64::try_from(nanos / second).map_or(Duration::MAX, |seconds| {
        Duration::new(seconds, (nanos % second) as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that no field value may hold, but that bodies and trailers may.
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

use std::time::{Duration, SystemTime};

/// Reads a timestamp of [RFC 3339, section 5.6](https://www.rfc-editor.org/rfc/rfc3339#section-5.6), as Anthropic sends it.
///
/// Letters may be in either case, a space may replace the `T`, and a missing offset means UTC. Days that do not exist
/// and times before 1970 are rejected. Digits beyond nanoseconds are dropped.
pub(crate) fn parse(text: &[u8]) -> Option<SystemTime> {
    let (date, rest) = text.trim_ascii().split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else {
        return None;
    };
    let year = number(&[*y1, *y2])? * 100 + number(&[*y3, *y4])?;
    let days = days(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)?;

    let (clock, rest) = rest.split_at_checked(9)?;
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = clock else {
        return None;
    };
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let second = number(&[*s1, *s2])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }

    let (nanos, rest) = fraction(rest)?;
    let local = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let seconds = local.checked_add_signed(-offset(rest)?)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

/// Returns the days from 1970-01-01 to a day of the Gregorian calendar.
pub(crate) fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let len = match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || day == 0 || day > len {
        return None;
    }
    // Leap days up to the end of the year before, less the 477 up to the end of 1969.
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - 477;
    let this_year = DAYS_BEFORE[month as usize - 1] + u64::from(is_leap && month > 2);
    Some((year - 1970) * 365 + leap_days + this_year + day - 1)
}

fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let len = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if len == 0 {
        return None;
    }
    let (digits, rest) = digits.split_at(len);
    let padded = digits.iter().map(|digit| u32::from(digit - b'0'));
    let nanos = padded.chain(std::iter::repeat(0)).take(9);
    Some((nanos.fold(0, |nanos, digit| nanos * 10 + digit), rest))
}

/// Returns the offset in seconds east of Greenwich.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let [h1, h2, b':', m1, m2] = digits else {
        return None;
    };
    let minutes = number(&[*h1, *h2])? * 60 + number(&[*m1, *m2])?;
    Some(sign * 60 * minutes as i64)
}

pub(crate) fn number(digits: &[u8; 2]) -> Option<u64> {
    let [tens, ones] = digits;
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| u64::from(tens - b'0') * 10 + u64::from(ones - b'0'))
}

const DAYS_BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

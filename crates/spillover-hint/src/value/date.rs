use std::time::{Duration, SystemTime};

use crate::value::timestamp;

/// Reads a date in one of the three forms of RFC 9110, section 5.6.7, or a similar one.
///
/// Dates before 1970 are rejected. A two-digit year below 70 is in this century. RFC 9110 moves that line with the
/// clock, which matters only for dates about fifty years away.
pub(crate) fn parse(text: &[u8]) -> Option<SystemTime> {
    if let Some(time) = fixdate(text) {
        return Some(time);
    }
    // JavaScript puts the zone's name behind its offset: `GMT+0100 (Central European Standard Time)`.
    let end = text.iter().position(|byte| *byte == b'(');
    let text = text[..end.unwrap_or(text.len())].trim_ascii();
    let text = std::str::from_utf8(text).ok()?;
    httpdate::parse_http_date(text)
        .ok()
        .or_else(|| Words::read(text)?.time())
}

/// Reads the most frequent form, `Wed, 21 Oct 2015 07:28:00 GMT`, ignoring the day of the week.
fn fixdate(text: &[u8]) -> Option<SystemTime> {
    let text: &[u8; 29] = text.try_into().ok()?;
    let is_fixdate = text[3..5] == *b", "
        && (text[7], text[11], text[16], text[19], text[22]) == (b' ', b' ', b' ', b':', b':')
        && text[25..] == *b" GMT";
    let is_weekday = matches!(
        &text[..3],
        b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun"
    );
    if !is_fixdate || !is_weekday {
        return None;
    }
    let number = |at: usize| timestamp::number(&[text[at], text[at + 1]]);
    let month = match &text[8..11] {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let (year, day) = (number(12)? * 100 + number(14)?, number(5)?);
    let days = timestamp::days(year, month, day)?;
    let (hour, minute, second) = (number(17)?, number(20)?, number(23)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The words of a date, recognized by their form, in any order and case.
#[derive(Default)]
struct Words {
    day: Option<u16>,
    month: Option<&'static str>,
    year: Option<u16>,
    /// Hour, minute, second.
    clock: Option<[u16; 3]>,
    /// Minutes east of Greenwich.
    zone: Option<i32>,
}

impl Words {
    fn read(text: &str) -> Option<Self> {
        let mut words = Self::default();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            words.push(word)?;
        }
        Some(words)
    }

    /// Stores a word in its field. Returns `None` if it fits none, or the field is already set.
    fn push(&mut self, word: &str) -> Option<()> {
        if let Some(month) = month(word) {
            fill(&mut self.month, month)
        } else if let Some(minutes) = zone(word) {
            fill(&mut self.zone, minutes)
        } else if word.contains(':') {
            fill(&mut self.clock, clock(word)?)
        } else if let Some((day, rest)) = word.split_once('-') {
            let (name, year) = rest.split_once('-')?;
            fill(&mut self.day, number(day, 2)?)?;
            fill(&mut self.month, month(name)?)?;
            fill(&mut self.year, short_year(year)?)
        } else if let Some(day) = number(word, 2) {
            fill(&mut self.day, day)
        } else if let Some(year) = number(word, 4) {
            fill(&mut self.year, year)
        } else {
            is_weekday(word).then_some(())
        }
    }

    fn time(&self) -> Option<SystemTime> {
        let [hour, minute, second] = self.clock?;
        // `SystemTime` does not count leap seconds: 23:59:60 is the midnight that follows.
        let leap = u16::from(second == 60);
        let time = calendar(
            self.day?,
            self.month?,
            self.year?,
            [hour, minute, second - leap],
        )?
        .checked_add(Duration::from_secs(leap.into()))?;

        let east = self.zone.unwrap_or(0);
        let offset = Duration::from_secs(u64::from(east.unsigned_abs()) * 60);
        if east < 0 {
            time.checked_add(offset)
        } else {
            time.checked_sub(offset)
        }
    }
}

/// Returns the time in UTC, if the day and the time of day exist.
///
/// `httpdate` rejects a wrong day of the week, which servers may send, so all seven are tried.
fn calendar(day: u16, month: &str, year: u16, clock: [u16; 3]) -> Option<SystemTime> {
    let mut date = *b"---, 00 --- 0000 00:00:00 GMT";
    date[5..7].copy_from_slice(&two_digits(day));
    date[8..11].copy_from_slice(month.as_bytes());
    date[12..14].copy_from_slice(&two_digits(year / 100));
    date[14..16].copy_from_slice(&two_digits(year));
    date[17..19].copy_from_slice(&two_digits(clock[0]));
    date[20..22].copy_from_slice(&two_digits(clock[1]));
    date[23..25].copy_from_slice(&two_digits(clock[2]));
    WEEKDAYS.iter().find_map(|weekday| {
        date[..3].copy_from_slice(weekday.as_bytes());
        httpdate::parse_http_date(std::str::from_utf8(&date).ok()?).ok()
    })
}

fn fill<T>(place: &mut Option<T>, value: T) -> Option<()> {
    match place.replace(value) {
        None => Some(()),
        Some(_) => None,
    }
}

fn month(word: &str) -> Option<&'static str> {
    let same = |name: &&&str| name.eq_ignore_ascii_case(word);
    MONTHS.iter().find(same).copied()
}

fn is_weekday(word: &str) -> bool {
    let start = word.get(..3).unwrap_or_default();
    WEEKDAYS.iter().any(|day| day.eq_ignore_ascii_case(start))
}

/// Reads `GMT`, `UTC`, `Z`, or an offset such as `+0100`, `-05:00`, `GMT+0100`. Returns minutes.
fn zone(word: &str) -> Option<i32> {
    let name = word.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    let known = ["", "GMT", "UTC", "UT", "Z"];
    if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return None;
    }

    let offset = &word[name.len()..];
    if offset.is_empty() {
        return Some(0);
    }
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    Some(sign * (i32::from(number(hours, 2)?) * 60 + i32::from(number(minutes, 2)?)))
}

fn clock(word: &str) -> Option<[u16; 3]> {
    let (hour, rest) = word.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    Some([number(hour, 2)?, number(minute, 2)?, number(second, 2)?])
}

fn short_year(word: &str) -> Option<u16> {
    let year = number(word, 4)?;
    match word.len() {
        2 if year < 70 => Some(2000 + year),
        2 => Some(1900 + year),
        4 => Some(year),
        _ => None,
    }
}

/// Reads a number of at most `max_len` digits and nothing else.
fn number(word: &str, max_len: usize) -> Option<u16> {
    if word.len() > max_len || !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    word.parse().ok()
}

fn two_digits(number: u16) -> [u8; 2] {
    let digit = |number: u16| b'0' + (number % 10) as u8;
    [digit(number / 10), digit(number)]
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

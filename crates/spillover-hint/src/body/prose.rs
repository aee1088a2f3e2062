//! Reads waits from sentences: "Please try again in 1.146s.", "Retry after 26 seconds", "(reset after 2m 13s)".

use std::time::{Duration, SystemTime};

use crate::value::{duration, timestamp};

/// Returns the latest date that a lower-case text states for a return: "You will regain access on 2027-01-01 at 00:00 utc.",
/// "Your limit will reset at 2026-12-01 14:00:00". A date without an offset is in UTC.
pub(crate) fn date(text: &str) -> Option<SystemTime> {
    let mut latest = None;
    for sentence in text.split_inclusive(". ") {
        let mut words = sentence.split_whitespace().map(bare).peekable();
        let mut is_about_return = false;
        while let Some(word) = words.next() {
            is_about_return |= RETURN.contains(&word);
            if !is_about_return || !word.starts_with("20") {
                continue;
            }
            let (day, clock) = word.split_once('t').unwrap_or((word, ""));
            let mut clock = clock.trim_end_matches('z');
            if clock.is_empty() {
                words.next_if_eq(&"at");
                clock = words.peek().copied().unwrap_or_default();
            }
            latest = latest.max(at(day, clock));
        }
    }
    latest
}

/// Returns the instant of a day and a time of day. A time without seconds begins its minute.
fn at(day: &str, clock: &str) -> Option<SystemTime> {
    let seconds = match clock.len() {
        5 => ":00",
        _ => "",
    };
    timestamp::parse(format!("{day}T{clock}{seconds}").as_bytes())
}

/// Returns the longest wait that a lower-case text states.
///
/// A duration counts if `in`, `after`, `for` or `wait` precedes it and the sentence is about retrying. Other durations
/// are ignored, e.g. timeouts ("took longer than 30s").
pub(crate) fn wait(text: &str) -> Option<Duration> {
    let mut longest = None;
    let mut is_about_return = false;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        rest = after.trim_start();
        let bare = bare(word);
        is_about_return |= RETURN.contains(&bare);
        if is_about_return && LEAD.contains(&bare) {
            let about = strip_about(rest);
            longest = longest.max(duration::prefix(about.as_bytes()));
        }
        if word.ends_with(['.', '!', '?', ';']) {
            is_about_return = false;
        }
    }
    longest
}

/// Returns a word without the punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

fn strip_about(text: &str) -> &str {
    let stripped = ABOUT.iter().find_map(|about| text.strip_prefix(about));
    stripped.unwrap_or(text).trim_start()
}

/// Words that mark a sentence about retrying.
const RETURN: [&str; 13] = [
    "again",
    "retry",
    "retrying",
    "reset",
    "resets",
    "refresh",
    "refreshes",
    "replenished",
    "renewed",
    "restored",
    "available",
    "wait",
    "regain",
];

/// Words that precede the duration.
const LEAD: [&str; 4] = ["in", "after", "for", "wait"];

const ABOUT: [&str; 5] = ["~", "about ", "approximately ", "another ", "at least "];

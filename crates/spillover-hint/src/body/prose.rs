//! Reads waits from sentences: "Please try again in 1.146s.", "Retry after 26 seconds", "(reset after 2m 13s)".

use std::time::Duration;

use crate::value::duration;

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
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
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

fn strip_about(text: &str) -> &str {
    let stripped = ABOUT.iter().find_map(|about| text.strip_prefix(about));
    stripped.unwrap_or(text).trim_start()
}

/// Words that mark a sentence about retrying.
const RETURN: [&str; 12] = [
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
];

/// Words that precede the duration.
const LEAD: [&str; 4] = ["in", "after", "for", "wait"];

const ABOUT: [&str; 5] = ["~", "about ", "approximately ", "another ", "at least "];

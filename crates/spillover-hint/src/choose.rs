//! Which candidate is believed.

use std::time::{Duration, SystemTime};

use crate::{Candidate, Hint, Source, slots::Slots};

pub(crate) fn choose(slots: &Slots, renewal: bool, now: SystemTime) -> Option<Hint> {
    let exhausted = longest(slots, now, Candidate::is_exhausted);
    let Some(stated) = stated(slots, now) else {
        return exhausted.or_else(|| longest(slots, now, |_| true));
    };

    match exhausted {
        Some(reset) if renewal && is_known_lie(stated.wait()) && reset.wait() > stated.wait() => {
            Some(reset)
        }
        _ => Some(stated),
    }
}

/// The wait that the server states for this request.
fn stated(slots: &Slots, now: SystemTime) -> Option<Hint> {
    let from = |source| longest(slots, now, |c: &Candidate| c.source() == source);
    let seconds = from(Source::RetryAfter);
    let millis = or_if_zero(from(Source::RetryAfterMs), from(Source::MsRetryAfterMs));

    match (millis, seconds) {
        (Some(millis), Some(seconds)) if is_same_number(millis.wait(), seconds.wait()) => {
            Some(seconds)
        }
        _ => or_if_zero(millis, seconds),
    }
}

/// The first, unless it is missing, or zero where the second is more.
fn or_if_zero(first: Option<Hint>, second: Option<Hint>) -> Option<Hint> {
    match (first, second) {
        (Some(first), Some(second)) if first.wait().is_zero() && !second.wait().is_zero() => {
            Some(second)
        }
        _ => first.or(second),
    }
}

/// Whether the number of milliseconds was meant to be one of seconds, with less than one for rounding.
///
/// Both are honest when the wait is a millisecond and the seconds are rounded up, as `1` and `1`. The seconds are chosen
/// then as well, which is late by less than a second.
fn is_same_number(millis: Duration, seconds: Duration) -> bool {
    !seconds.is_zero() && millis.saturating_mul(1000).abs_diff(seconds) < Duration::from_secs(1)
}

/// A stated wait that does not depend on the limit that was hit.
fn is_known_lie(wait: Duration) -> bool {
    wait.is_zero() || wait == Duration::from_secs(1)
}

fn longest(slots: &Slots, now: SystemTime, wanted: impl Fn(&Candidate) -> bool) -> Option<Hint> {
    slots
        .iter()
        .filter(|candidate| wanted(candidate))
        .map(|candidate| Hint::new(candidate, now))
        .max_by_key(Hint::wait)
}

//! Chooses the candidate to believe.

use std::time::{Duration, SystemTime};

use crate::{Candidate, Hint, Rule, Source, slots::Slots};

/// The result of the caller's previous wait for this backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    Unknown,
    RefusedAgain,
}

pub(crate) fn choose(slots: &Slots, renewal: bool, past: Past, now: SystemTime) -> Option<Hint> {
    let longest = |rule, wanted: fn(&Candidate) -> bool| longest(slots, now, rule, wanted);
    let exhausted = |rule| longest(rule, Candidate::is_exhausted);
    let Some(stated) = stated(slots, now) else {
        return exhausted(Rule::Exhausted)
            .or_else(|| longest(Rule::Unspecific, |c| c.source() != Source::Prose))
            .or_else(|| longest(Rule::LastResort, |_| true));
    };

    let doubt = match past {
        Past::RefusedAgain => Rule::RefusedAgain,
        Past::Unknown if renewal && is_known_lie(stated.wait()) => Rule::KnownLie,
        Past::Unknown => return Some(stated),
    };
    exhausted(doubt)
        .filter(|reset| reset.wait() > stated.wait())
        .or(Some(stated))
}

/// Returns the wait that the server states for this request.
fn stated(slots: &Slots, now: SystemTime) -> Option<Hint> {
    let is_stated = |c: &&Candidate| c.source().is_stated();
    let first = slots
        .iter()
        .filter(is_stated)
        .map(Candidate::source)
        .min()?;
    let from = |source| {
        longest(slots, now, Rule::Stated, |c: &Candidate| {
            c.source() == source
        })
    };
    let stated = or_if_zero(from(first)?, || {
        let others = slots
            .iter()
            .filter(|c| c.source().is_stated() || c.source() == Source::Prose);
        others
            .filter(|c| !c.when().wait(now).is_zero())
            .map(Candidate::source)
            .min()
            .and_then(from)
    });

    // Only the first two sources can confuse units: the others have one unit, or no counterpart to compare with.
    if stated.source() > Source::MsRetryAfterMs {
        return Some(stated);
    }
    match from(Source::RetryAfter) {
        Some(seconds) if is_same_number(stated.wait(), seconds.wait()) => {
            Some(seconds.because(Rule::SameNumber))
        }
        _ => Some(stated),
    }
}

/// Returns `first`, unless it is zero and there is another.
fn or_if_zero(first: Hint, other: impl FnOnce() -> Option<Hint>) -> Hint {
    if !first.wait().is_zero() {
        return first;
    }
    other().map_or(first, |other| other.because(Rule::NotZero))
}

/// Returns true if the milliseconds were meant as seconds, e.g. `30` in both fields. A difference below one second is
/// rounding.
///
/// `1` and `1` is not an error: one millisecond, and seconds rounded up. Provisioned throughput states this often, and
/// a wait of a second would leave the deployment idle for most of it.
fn is_same_number(millis: Duration, seconds: Duration) -> bool {
    const SECOND: Duration = Duration::from_secs(1);
    seconds > SECOND && millis.saturating_mul(1000).abs_diff(seconds) < SECOND
}

/// Returns true for a wait of zero or one second, which Azure states whatever limit was hit.
fn is_known_lie(wait: Duration) -> bool {
    wait.is_zero() || wait == Duration::from_secs(1)
}

fn longest(
    slots: &Slots,
    now: SystemTime,
    rule: Rule,
    wanted: impl Fn(&Candidate) -> bool,
) -> Option<Hint> {
    slots
        .iter()
        .filter(|candidate| wanted(candidate))
        .map(|candidate| (Hint::new(candidate, rule, now), candidate.key()))
        .max_by(|(a, one), (b, other)| a.wait().cmp(&b.wait()).then(other.cmp(one)))
        .map(|(hint, _)| hint)
}

//! Which candidate is believed.

use std::time::{Duration, SystemTime};

use crate::{Candidate, Hint, Rule, Source, slots::Slots};

/// What the caller knows about the last time this backend was obeyed.
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

/// The wait that the server states for this request.
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

    // Only the first two can be mistaken: the others have one unit, or no twin.
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

/// The first, unless it is zero and there is another.
fn or_if_zero(first: Hint, other: impl FnOnce() -> Option<Hint>) -> Hint {
    if !first.wait().is_zero() {
        return first;
    }
    other().map_or(first, |other| other.because(Rule::NotZero))
}

/// Whether the number of milliseconds was meant to be one of seconds, with less than one for rounding.
///
/// `1` and `1` are honest: a millisecond, and the seconds rounded up. Provisioned throughput says so often, and a second
/// would leave it unused for most of it.
fn is_same_number(millis: Duration, seconds: Duration) -> bool {
    const SECOND: Duration = Duration::from_secs(1);
    seconds > SECOND && millis.saturating_mul(1000).abs_diff(seconds) < SECOND
}

/// A stated wait that does not depend on the limit that was hit.
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

//! What a status, and the fields beside it, say about the kind of a refusal.

use std::time::Duration;

use http::StatusCode;

use crate::{Candidate, Refusal, When, headers::Head, words};

/// What a status alone says.
pub(crate) fn of(status: StatusCode) -> Refusal {
    match status.as_u16() {
        429 => Refusal::Throttled,
        // 498: Groq's flexible tier is full. 529: Anthropic is overloaded.
        498 | 503 | 529 => Refusal::Capacity,
        413 => Refusal::TooLarge,
        402 => Refusal::Quota,
        401 | 403 | 407 => Refusal::Credential,
        // 408 and 424: Bedrock's model was too slow, or failed. 499: Azure gave up on it.
        408 | 424 | 499 | 500.. => Refusal::Failing,
        _ => Refusal::Client,
    }
}

/// What a head says.
pub(crate) fn refusal(status: StatusCode, head: &Head<'_>, is_exhausted: bool) -> Refusal {
    let refusal = of(status);
    let signs = &head.signs;
    if let Some(found) = signs.error_type.and_then(words::refusal) {
        return refusal.refined(found);
    }
    if let Some(found) = signs.throttle_reason.and_then(words::refusal) {
        return refusal.refined(found);
    }
    if signs.is_overloaded {
        return refusal.refined(Refusal::Capacity);
    }
    // GitHub answers 403 when a limit is hit.
    if refusal == Refusal::Credential
        && status == StatusCode::FORBIDDEN
        && (signs.is_proxy_limit || states_wait(head, Duration::MAX) || is_exhausted)
    {
        return Refusal::Throttled;
    }
    refusal
}

/// Whether the body cannot change what follows from the head. `Report::needs_body` has the reasons.
pub(crate) fn is_settled(
    status: StatusCode,
    refusal: Refusal,
    head: &Head<'_>,
    is_exhausted: bool,
) -> bool {
    match refusal {
        Refusal::Throttled => {
            head.signs.is_proxy_limit
                || (head.signs.should_retry != Some(false)
                    && (is_exhausted || is_full(head))
                    && states_wait(head, MINUTE))
        }
        Refusal::Capacity => states_wait(head, Duration::MAX),
        Refusal::TooLarge | Refusal::Failing => true,
        // A day without a reset: the body may have one.
        Refusal::Quota => status != StatusCode::TOO_MANY_REQUESTS || !head.slots.is_empty(),
        Refusal::Credential => status != StatusCode::FORBIDDEN,
        Refusal::Client => !matches!(status.as_u16(), 400 | 422) || head.signs.error_type.is_some(),
    }
}

/// Whether it is the provisioned throughput of a deployment that ran out.
fn is_full(head: &Head<'_>) -> bool {
    head.signs
        .utilization()
        .is_some_and(|percent| percent >= 100.0)
}

/// Whether there is a wait to go by that is no longer than this. A date needs a clock, and counts as longer than a minute.
fn states_wait(head: &Head<'_>, longest: Duration) -> bool {
    let is_wait = |c: &Candidate| c.source().is_stated() || c.is_exhausted();
    let mut waits = head
        .slots
        .iter()
        .filter(|c| is_wait(c))
        .map(Candidate::when);
    let mut any = false;
    let fits = waits.all(|when| {
        any = true;
        match when {
            When::After(wait) => wait <= longest,
            When::At(_) => longest > MINUTE,
        }
    });
    any && fits
}

/// The longest wait that a limit per minute causes.
const MINUTE: Duration = Duration::from_secs(60);

//! What a status, and the fields beside it, say about the kind of a refusal.

use std::time::Duration;

use http::StatusCode;

use crate::{Candidate, Hints, Refusal, When, headers::Head, words};

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

/// What is seen of a response before its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight<'a> {
    pub(crate) status: StatusCode,
    pub(crate) head: &'a Head<'a>,
    pub(crate) hints: &'a Hints,
    /// Whether the limit that ran out is known.
    pub(crate) is_exhausted: bool,
}

impl Sight<'_> {
    /// What kind of refusal it is, as far as can be seen.
    pub(crate) fn refusal(self) -> Refusal {
        let refusal = of(self.status);
        let signs = &self.head.signs;
        let words = signs.error_type.or(signs.throttle_reason);
        if let Some(found) = words.and_then(words::refusal) {
            return refusal.refined(found);
        }
        if signs.is_overloaded {
            return refusal.refined(Refusal::Capacity);
        }
        // GitHub answers 403 when a limit is hit.
        if self.status == StatusCode::FORBIDDEN
            && (signs.is_proxy_limit || self.is_exhausted || self.states_wait(Duration::MAX))
        {
            return Refusal::Throttled;
        }
        refusal
    }

    /// Whether the body cannot change what follows from the head. `Report::needs_body` has the reasons.
    pub(crate) fn is_settled(self, refusal: Refusal) -> bool {
        let signs = &self.head.signs;
        match refusal {
            Refusal::Throttled => {
                signs.is_proxy_limit
                    || (signs.should_retry != Some(false)
                        && (self.is_exhausted || is_full(self.head))
                        && self.states_wait(MINUTE))
            }
            Refusal::Capacity => self.states_wait(Duration::MAX),
            Refusal::TooLarge | Refusal::Failing => true,
            // A day without a reset: the body may have one.
            Refusal::Quota => {
                self.status != StatusCode::TOO_MANY_REQUESTS || !self.hints.is_empty()
            }
            Refusal::Credential => self.status != StatusCode::FORBIDDEN,
            Refusal::Client => {
                !matches!(self.status.as_u16(), 400 | 422) || signs.error_type.is_some()
            }
        }
    }

    /// Whether there are waits to go by, none of them longer than this. A date counts only beside the server's own clock.
    fn states_wait(self, longest: Duration) -> bool {
        let is_wait = |c: &&Candidate| c.source().is_stated() || c.is_exhausted();
        let mut waits = self
            .hints
            .iter()
            .filter(is_wait)
            .map(Candidate::when)
            .peekable();
        waits.peek().is_some()
            && waits.all(|when| match when {
                When::After(wait) => wait <= longest,
                When::At(_) if longest == Duration::MAX => true,
                When::At(_) => self
                    .hints
                    .date()
                    .is_some_and(|now| when.wait(now) <= longest),
            })
    }
}

/// Whether it is the provisioned throughput of a deployment that ran out.
fn is_full(head: &Head<'_>) -> bool {
    head.signs
        .utilization()
        .is_some_and(|percent| percent >= 100.0)
}

/// The longest wait that a limit per minute causes.
const MINUTE: Duration = Duration::from_secs(60);

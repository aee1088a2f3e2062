//! Classifies a refusal by its status and header fields.

use std::time::Duration;

use http::StatusCode;

use crate::{Candidate, Hints, Refusal, When, headers::Head, words};

/// Returns the kind by the status alone.
pub(crate) fn refusal_of_status(status: StatusCode) -> Refusal {
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

/// The facts of a response's head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadView<'a> {
    pub(crate) status: StatusCode,
    pub(crate) head: &'a Head<'a>,
    pub(crate) hints: &'a Hints,
    /// True if the exhausted limit is known.
    pub(crate) is_exhausted: bool,
}

impl HeadView<'_> {
    /// Returns the kind of the refusal, as far as the head shows it.
    pub(crate) fn refusal(self) -> Refusal {
        let refusal = refusal_of_status(self.status);
        let signals = &self.head.signals;
        let words = signals.error_type.or(signals.throttle_reason);
        if let Some(found) = words.and_then(words::refusal) {
            return refusal.refined(found);
        }
        if signals.is_overloaded {
            return refusal.refined(Refusal::Capacity);
        }
        // GitHub answers 403 when a limit is hit.
        if self.status == StatusCode::FORBIDDEN
            && (signals.is_proxy_limit || self.is_exhausted || self.states_wait(Duration::MAX))
        {
            return Refusal::Throttled;
        }
        refusal
    }

    /// Returns true if the body cannot change how to react. See `Report::needs_body` for the reasons.
    pub(crate) fn is_settled(self, refusal: Refusal) -> bool {
        let signals = &self.head.signals;
        match refusal {
            Refusal::Throttled => {
                signals.is_proxy_limit
                    || (signals.should_retry != Some(false)
                        && (self.is_exhausted || is_full(self.head))
                        && self.states_wait(MINUTE))
            }
            Refusal::Capacity => self.states_wait(Duration::MAX),
            Refusal::TooLarge | Refusal::Failing => true,
            // A limit per day without a reset: the body may state one.
            Refusal::Quota => {
                self.status != StatusCode::TOO_MANY_REQUESTS || !self.hints.is_empty()
            }
            Refusal::Missing => true,
            Refusal::Credential => !matches!(self.status.as_u16(), 401 | 403),
            Refusal::Client => {
                !matches!(self.status.as_u16(), 400 | 404 | 422) || signals.error_type.is_some()
            }
        }
    }

    /// Returns true if there are waits to obey and none exceeds `longest`. A date counts only beside the server's own
    /// clock.
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

/// Returns true if a deployment's provisioned throughput is used up.
fn is_full(head: &Head<'_>) -> bool {
    head.signals
        .utilization()
        .is_some_and(|percent| percent >= 100.0)
}

/// The longest wait that a limit per minute causes.
const MINUTE: Duration = Duration::from_secs(60);

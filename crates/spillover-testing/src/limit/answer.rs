use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

/// An admitted request, with the values of its response headers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Admitted {
    /// Tokens left in the window.
    pub remaining_tokens: Option<u64>,
    /// Requests left in the window.
    pub remaining_requests: Option<u64>,
    /// The level of the bucket in percent; above 100 in a burst.
    pub utilization: Option<f64>,
}

impl Admitted {
    /// Returns `x-ratelimit-remaining-tokens` and `-requests`, or `azure-openai-deployment-utilization`.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(tokens) = self.remaining_tokens {
            headers.insert(REMAINING_TOKENS, tokens.into());
        }
        if let Some(requests) = self.remaining_requests {
            headers.insert(REMAINING_REQUESTS, requests.into());
        }
        if let Some(utilization) = self.utilization {
            // Digits, a point and a percent sign always form a header value.
            if let Ok(value) = HeaderValue::try_from(format!("{utilization:.1}%")) {
                headers.insert(UTILIZATION, value);
            }
        }
        headers
    }
}

/// A refused request, with the time until it would be admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Refused {
    /// The exact time.
    pub wait: Duration,
    /// The exhausted dimension; among several, the one with the longest wait.
    pub dimension: Dimension,
}

impl Refused {
    /// Returns the wait in whole seconds, at least 1, as in `retry-after`.
    pub fn seconds(&self) -> u64 {
        match self.dimension {
            Dimension::Capacity => self.millis().div_ceil(1_000),
            _ => ceil(self.wait, Duration::from_secs(1)),
        }
    }

    /// Returns the wait in whole milliseconds, at least 1.
    pub fn millis(&self) -> u64 {
        ceil(self.wait, Duration::from_millis(1))
    }

    /// Returns `retry-after`. A window adds `x-ratelimit-reset-tokens` or `-requests`, a bucket adds `retry-after-ms`.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, self.seconds().into());
        match self.dimension {
            Dimension::Tokens => headers.insert(RESET_TOKENS, self.seconds().into()),
            Dimension::Requests => headers.insert(RESET_REQUESTS, self.seconds().into()),
            Dimension::Capacity => headers.insert(RETRY_AFTER_MS, self.millis().into()),
        };
        headers
    }
}

/// The quantity that a limit counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Dimension {
    /// Tokens in a window.
    Tokens,
    /// Requests in a window.
    Requests,
    /// The level of a bucket.
    Capacity,
}

fn ceil(wait: Duration, unit: Duration) -> u64 {
    let units = wait.as_nanos().div_ceil(unit.as_nanos());
    u64::try_from(units).unwrap_or(u64::MAX).max(1)
}

const REMAINING_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-tokens");
const REMAINING_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const RESET_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-reset-tokens");
const RESET_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const UTILIZATION: HeaderName = HeaderName::from_static("azure-openai-deployment-utilization");

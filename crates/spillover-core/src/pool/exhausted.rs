use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use super::Cause;

/// No backend would take the request: when the first of the pool opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    reopens_in: Duration,
    cause: Option<Cause>,
}

impl Exhausted {
    pub(super) fn new(reopens_in: Duration, cause: Option<Cause>) -> Self {
        Self { reopens_in, cause }
    }

    /// How long until the first backend of the pool opens; zero when one is open, but this request has been there.
    #[must_use]
    pub fn reopens_in(&self) -> Duration {
        self.reopens_in
    }

    /// Why that backend is closed; `None` when one is open, but this request has been there.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Says so in `retry-after` (RFC 9110 section 10.2.3, whole seconds, rounded up, at least 1) and in `retry-after-ms`
    /// (milliseconds, rounded up, at least 1; read by the OpenAI and Azure SDKs).
    ///
    /// Neither is ever 0: SDKs take a zero for no hint at all.
    pub fn write(&self, headers: &mut HeaderMap) {
        let ms = round_up(self.reopens_in.as_nanos(), 1_000_000);
        let seconds = round_up(self.reopens_in.as_nanos(), 1_000_000_000);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
    }
}

fn round_up(nanos: u128, unit: u128) -> u64 {
    u64::try_from(nanos.div_ceil(unit).max(1)).unwrap_or(u64::MAX)
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_round_up_and_are_never_zero() {
        let cases = [
            (0, "1", "1"),
            (1, "1", "1"),
            (999_999, "1", "1"),
            (1_000_001, "1", "2"),
            (1_000_000_000, "1", "1000"),
            (1_000_000_001, "2", "1001"),
            (59_900_000_000, "60", "59900"),
        ];
        for (nanos, seconds, ms) in cases {
            let mut headers = HeaderMap::new();
            Exhausted::new(Duration::from_nanos(nanos), None).write(&mut headers);
            assert_eq!(headers["retry-after"], seconds, "{nanos}");
            assert_eq!(headers["retry-after-ms"], ms, "{nanos}");
        }
    }
}

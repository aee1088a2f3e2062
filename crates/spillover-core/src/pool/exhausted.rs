use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use super::Cause;

/// No backend would take the request: when the first of the pool opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    reopens_in: Duration,
    cause: Option<Cause>,
    may_open_sooner: bool,
}

impl Exhausted {
    pub(super) fn new(reopens_in: Duration, cause: Option<Cause>) -> Self {
        Self {
            reopens_in,
            cause,
            may_open_sooner: false,
        }
    }

    /// Notes whether a backend is only full.
    pub(super) fn with_full(self, may_open_sooner: bool) -> Self {
        Self {
            may_open_sooner,
            ..self
        }
    }

    /// How long until the first backend of the pool opens; zero when one is open, but this request has been there. A
    /// backend that is only [full](crate::Condition::Full) is taken to open after a second, which is a guess.
    #[must_use]
    pub fn reopens_in(&self) -> Duration {
        self.reopens_in
    }

    /// Whether a backend is only [full](crate::Condition::Full): it opens when a request ends that is there, which may be
    /// at any time.
    #[must_use]
    pub fn may_open_sooner(&self) -> bool {
        self.may_open_sooner
    }

    /// Why that backend is closed; `None` when it is only full, or when one is open, but this request has been there.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Says so in `retry-after` (RFC 9110 section 10.2.3, whole seconds, rounded up, at least 1) and in `retry-after-ms`
    /// (milliseconds, rounded up, at least 1; read by the OpenAI and Azure SDKs).
    ///
    /// Neither is ever 0: SDKs take a zero for no hint at all. `x-should-retry` (read by the OpenAI and Anthropic SDKs) says
    /// whether to wait is worth it: not for more than a minute. Other fields with a wait go, as they spoke of one backend.
    ///
    /// The head of a gRPC error, which has `grpc-status`, gets `grpc-retry-pushback-ms` in their place: the time, or -1 where
    /// it is not worth waiting for
    /// ([gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback)).
    pub fn write(&self, headers: &mut HeaderMap) {
        let ms = round_up(self.reopens_in.as_nanos(), 1_000_000);
        let is_soon = self.reopens_in <= WORTH_WAITING;
        if headers.contains_key(GRPC_STATUS) {
            let pushback = if is_soon {
                HeaderValue::from(ms)
            } else {
                NEVER
            };
            headers.insert(GRPC_RETRY_PUSHBACK_MS, pushback);
            return;
        }
        let seconds = round_up(self.reopens_in.as_nanos(), 1_000_000_000);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
        headers.remove(X_MS_RETRY_AFTER_MS);
        let should_retry = if is_soon { "true" } else { "false" };
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static(should_retry));
    }
}

fn round_up(nanos: u128, unit: u128) -> u64 {
    u64::try_from(nanos.div_ceil(unit).max(1)).unwrap_or(u64::MAX)
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const X_MS_RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
const NEVER: HeaderValue = HeaderValue::from_static("-1");

/// The SDKs wait for a minute or two at most, and give up at once when told a longer time.
const WORTH_WAITING: Duration = Duration::from_secs(60);

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
            assert_eq!(headers["x-should-retry"], "true", "{nanos}");
        }
    }

    #[test]
    fn a_long_wait_is_not_worth_a_retry_and_fields_of_one_backend_go() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-retry-after-ms", HeaderValue::from_static("5"));
        headers.insert("x-should-retry", HeaderValue::from_static("true"));
        Exhausted::new(Duration::from_secs(61), None).write(&mut headers);
        assert_eq!(headers["x-should-retry"], "false");
        assert!(!headers.contains_key("x-ms-retry-after-ms"));
    }
    #[test]
    fn a_grpc_error_is_pushed_back() {
        let cases = [(0, "1"), (1500, "1500"), (60_000, "60000"), (60_001, "-1")];
        for (ms, pushback) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static("8"));
            Exhausted::new(Duration::from_millis(ms), None).write(&mut headers);
            assert_eq!(headers["grpc-retry-pushback-ms"], pushback, "{ms}");
            assert!(!headers.contains_key("retry-after"));
        }
    }
}

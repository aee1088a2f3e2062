use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use super::Cause;

/// The state of a pool in which no backend would take a request, with the time until the first one opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    reopens_in: Duration,
    cause: Option<Cause>,
    may_open_sooner: bool,
}

/// The time until a request that waits may have a backend; see [`Pool::opening`](super::Pool::opening).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    wait: Duration,
    is_full: bool,
}

impl Opening {
    pub(super) fn new(wait: Duration, is_full: bool) -> Self {
        Self { wait, is_full }
    }

    /// Returns the earlier of two openings.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            wait: self.wait.min(other.wait),
            is_full: self.is_full || other.is_full,
        }
    }

    /// Returns the time until the first backend opens. For a full backend this is an estimate: one second.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Returns true if a backend is only [full](crate::Condition::Full): such a backend opens at any time, when one of its
    /// requests ends.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }
}

impl Exhausted {
    pub(super) fn new(reopens_in: Duration, cause: Option<Cause>) -> Self {
        Self {
            reopens_in,
            cause,
            may_open_sooner: false,
        }
    }

    /// Sets whether a backend is only full.
    pub(super) fn with_full(self, may_open_sooner: bool) -> Self {
        Self {
            may_open_sooner,
            ..self
        }
    }

    /// Returns the time until the first backend of the pool opens; zero if one is open, but this request has tried it. A
    /// backend that is only [full](crate::Condition::Full) is taken to open after a second, which is an estimate.
    #[must_use]
    pub fn reopens_in(&self) -> Duration {
        self.reopens_in
    }

    /// Returns true if a backend is only [full](crate::Condition::Full). Such a backend opens as soon as one of its requests ends,
    /// which may be at any time.
    #[must_use]
    pub fn may_open_sooner(&self) -> bool {
        self.may_open_sooner
    }

    /// Returns the reason why that backend is closed. `None` if it is only full, or one is open, but this request has tried it.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Writes the time into the head of the refusal that the client gets.
    ///
    /// A time of up to 60 s is written to `retry-after` (RFC 9110 section 10.2.3, whole seconds, rounded up, at least 1) and to
    /// `retry-after-ms` (milliseconds, rounded up, at least 1; read by the OpenAI and Azure SDKs), with `x-should-retry: true`
    /// (read by the OpenAI and Anthropic SDKs). `x-ms-retry-after-ms` and `x-amz-retry-after` (milliseconds; read by Azure's and
    /// AWS's SDKs), where the backend sent them, get the same time.
    ///
    /// For a longer time all of these fields are removed, and `x-should-retry` is `false`: azure-core obeys a wait whatever
    /// `x-should-retry` says, and sleeps for a day when told so. No field is ever 0, which SDKs take for no hint.
    ///
    /// The head of a gRPC error, which has `grpc-status`, gets `grpc-retry-pushback-ms` in their place: the time, or -1 for a
    /// longer one ([gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback)).
    pub fn write(&self, headers: &mut HeaderMap) {
        let ms = HeaderValue::from(round_up(self.reopens_in.as_nanos(), 1_000_000));
        let is_soon = self.reopens_in <= WORTH_WAITING;
        if headers.contains_key(GRPC_STATUS) {
            let pushback = if is_soon { ms } else { NEVER };
            headers.insert(GRPC_RETRY_PUSHBACK_MS, pushback);
            return;
        }
        let should_retry = if is_soon { "true" } else { "false" };
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static(should_retry));
        if !is_soon {
            Self::remove_waits(headers);
            return;
        }
        let seconds = round_up(self.reopens_in.as_nanos(), 1_000_000_000);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        for field in [X_MS_RETRY_AFTER_MS, X_AMZ_RETRY_AFTER] {
            if headers.contains_key(&field) {
                headers.insert(field, ms.clone());
            }
        }
        headers.insert(RETRY_AFTER_MS, ms);
    }

    /// Replaces the wait in the head of a refusal, as [`write`](Self::write) does. A head without a wait stays as it
    /// is.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use spillover_core::{Backend, Pool, Query};
    /// use tokio::time::Instant;
    ///
    /// let pool = Pool::new([Backend::builder("a").url("http://a.example").build()?])?;
    /// let exhausted = pool.exhausted(&Query::new(), Instant::now());
    ///
    /// // The backend wants an hour, but the pool is open.
    /// let mut headers = HeaderMap::new();
    /// headers.insert("retry-after", "3600".parse()?);
    /// exhausted.correct(&mut headers);
    /// assert_eq!(headers["retry-after"], "1");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn correct(&self, headers: &mut HeaderMap) {
        let is_wait = |name: &HeaderName| WAITS.contains(name) || name == GRPC_RETRY_PUSHBACK_MS;
        if headers.keys().any(is_wait) {
            self.write(headers);
        }
    }

    /// Removes the wait from the head of a refusal, for refusals that waiting does not cure. gRPC's pushback stays.
    pub fn remove_waits(headers: &mut HeaderMap) {
        for field in &WAITS {
            headers.remove(field);
        }
    }
}

fn round_up(nanos: u128, unit: u128) -> u64 {
    u64::try_from(nanos.div_ceil(unit).max(1)).unwrap_or(u64::MAX)
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const X_MS_RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");
const X_AMZ_RETRY_AFTER: HeaderName = HeaderName::from_static("x-amz-retry-after");
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
const NEVER: HeaderValue = HeaderValue::from_static("-1");

/// The header fields that state a wait.
const WAITS: [HeaderName; 4] = [
    RETRY_AFTER,
    RETRY_AFTER_MS,
    X_MS_RETRY_AFTER_MS,
    X_AMZ_RETRY_AFTER,
];

/// The longest wait that all SDKs treat alike. With a longer one some SDKs sleep, some ignore it, and some give up.
const WORTH_WAITING: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_round_up_and_are_never_zero() {
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
    fn fields_of_other_vendors_get_the_time_of_the_pool() {
        let mut headers = HeaderMap::new();
        for field in ["x-ms-retry-after-ms", "x-amz-retry-after"] {
            headers.insert(field, HeaderValue::from_static("86400000"));
        }
        Exhausted::new(Duration::from_millis(1500), None).write(&mut headers);
        assert_eq!(headers["x-ms-retry-after-ms"], "1500");
        assert_eq!(headers["x-amz-retry-after"], "1500");
    }

    #[test]
    fn wait_of_more_than_a_minute_is_not_told() {
        let mut headers = HeaderMap::new();
        for field in &WAITS {
            headers.insert(field, HeaderValue::from_static("5"));
        }
        headers.insert("x-should-retry", HeaderValue::from_static("true"));
        Exhausted::new(Duration::from_secs(61), None).write(&mut headers);
        assert_eq!(headers["x-should-retry"], "false");
        assert_eq!(headers.len(), 1, "{headers:?}");
    }

    #[test]
    fn wait_that_the_backend_names_becomes_that_of_the_pool() {
        let exhausted = Exhausted::new(Duration::from_secs(5), None);
        for field in &WAITS {
            let mut headers = HeaderMap::new();
            headers.insert(field, HeaderValue::from_static("3600"));
            exhausted.correct(&mut headers);
            assert_eq!(headers["retry-after"], "5", "{field}");
        }
        let mut headers = HeaderMap::new();
        exhausted.correct(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn grpc_error_is_pushed_back() {
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

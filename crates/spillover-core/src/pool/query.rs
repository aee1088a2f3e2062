use std::fmt;

use http::HeaderMap;

use super::{Affinity, Attempts, Scope, attempts::WORDS, strategy::Strategy};

/// The question that a request asks a [`Pool`](super::Pool): which backend takes it now?
///
/// ```
/// use spillover_core::{Affinity, Query, Scope, Attempts};
///
/// let attempts = Attempts::new();
/// let query = Query::new().attempts(&attempts).scope(Scope::named("gpt-4o")).affinity(Affinity::to_backend("sweden"));
/// # let _ = query;
/// ```
#[derive(Clone, Copy, Default)]
#[must_use]
pub struct Query<'a> {
    /// The strategy. `None` draws by weight.
    pub(super) strategy: Option<&'a (dyn Strategy + Sync)>,
    attempts: Option<&'a Attempts>,
    pub(super) scope: Scope,
    pub(super) affinity: Option<Affinity>,
    headers: Option<&'a HeaderMap>,
    may_ask_again: bool,
    pub(super) is_open_only: bool,
}

impl<'a> Query<'a> {
    /// Creates a query of a request that has tried no backend and may have any.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out the backends that the request has tried. Default: none.
    pub fn attempts(self, attempts: &'a Attempts) -> Self {
        Self {
            attempts: Some(attempts),
            ..self
        }
    }

    /// Chooses among the open backends of a tier by this strategy. Default: [`Weighted`](super::Weighted).
    pub fn strategy(self, strategy: &'a (dyn Strategy + Sync)) -> Self {
        Self {
            strategy: Some(strategy),
            ..self
        }
    }

    /// Sets the scope of the request. Default: [`Scope::BACKEND`].
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Sets the affinity of the request. Default: none.
    pub fn affinity(self, affinity: impl Into<Option<Affinity>>) -> Self {
        Self {
            affinity: affinity.into(),
            ..self
        }
    }

    /// Returns the backend to which the request is sent once more.
    pub(super) fn resend_to(&self) -> Option<usize> {
        self.attempts.and_then(Attempts::resend_to)
    }

    /// Sets the header fields of the request. Default: none.
    ///
    /// A request that a client repeats avoids backends whose latest attempts were given up, as long as there are
    /// others. Repeated requests are recognized by `x-stainless-retry-count` (the SDKs of OpenAI and Anthropic),
    /// `attempt=` in `amz-sdk-request` (the SDKs of AWS) and `grpc-previous-rpc-attempts` ([gRFC
    /// A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#exposed-retry-metadata)). The fields are
    /// read only if a backend has had such attempts.
    pub fn headers(self, headers: &'a HeaderMap) -> Self {
        Self {
            headers: Some(headers),
            ..self
        }
    }

    /// Includes the backends that refused this request because of a limit
    /// ([`mark_limited`](crate::layer::AttemptsProtocol::mark_limited)), for a request that waited until one of them
    /// opened. Default: not.
    pub fn again(self) -> Self {
        Self {
            may_ask_again: true,
            ..self
        }
    }

    /// Leaves out backends that are a last resort. Default: not.
    pub fn open_only(self) -> Self {
        Self {
            is_open_only: true,
            ..self
        }
    }

    pub(super) fn has_tried(&self, index: usize) -> bool {
        self.attempts.is_some_and(|attempts| {
            attempts.contains(index) && !(self.may_ask_again && attempts.is_limited(index))
        })
    }

    /// Returns the backends that the query leaves out.
    pub(super) fn excluded(&self) -> [u64; WORDS] {
        let attempts = self
            .attempts
            .map(|attempts| attempts.excluded(self.may_ask_again));
        attempts.unwrap_or_default()
    }

    pub(super) fn request(&self) -> Option<&'a Attempts> {
        self.attempts
    }

    /// Returns true if the client says that it has sent the request before.
    pub(super) fn is_retry(&self) -> bool {
        let Some(headers) = self.headers else {
            return false;
        };
        RETRY_FIELDS.iter().any(|name| {
            let value = headers.get(*name);
            value.is_some_and(|value| is_client_retry(name, value.as_bytes()))
        })
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("attempts", &self.attempts)
            .field("scope", &self.scope)
            .field("affinity", &self.affinity)
            .finish_non_exhaustive()
    }
}

/// Returns true if this field of a request says that the client has sent the request before.
///
/// | field | sent by | value of a retry |
/// |---|---|---|
/// | `x-stainless-retry-count` | the SDKs of OpenAI and Anthropic | 1 or more |
/// | `amz-sdk-request` | the [SDKs of AWS](https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html) | `attempt=` 2 or more |
/// | `grpc-previous-rpc-attempts` | [gRPC](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#exposed-retry-metadata) | 1 or more |
#[must_use]
pub fn is_client_retry(name: &str, value: &[u8]) -> bool {
    // The length first: most fields are told apart by it.
    let is_field = match name.len() {
        15 | 23 | 26 => RETRY_FIELDS.contains(&name),
        _ => false,
    };
    let Some(value) = str::from_utf8(value).ok().filter(|_| is_field) else {
        return false;
    };
    let number = |text: &str| text.trim().parse::<u32>().unwrap_or(0);
    if name != AMZ_SDK_REQUEST {
        return number(value) >= 1;
    }
    let mut parts = value.split(';');
    let attempt = parts.find_map(|part| part.trim().strip_prefix("attempt="));
    attempt.is_some_and(|attempt| number(attempt) >= 2)
}

const AMZ_SDK_REQUEST: &str = "amz-sdk-request";

const RETRY_FIELDS: [&str; 3] = [
    "x-stainless-retry-count",
    AMZ_SDK_REQUEST,
    "grpc-previous-rpc-attempts",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_of_clients_are_recognized_by_their_fields() {
        for (name, value, expected) in [
            ("x-stainless-retry-count", "0", false),
            ("x-stainless-retry-count", "1", true),
            ("x-stainless-retry-count", "x", false),
            ("amz-sdk-request", "attempt=1; max=3", false),
            (
                "amz-sdk-request",
                "ttl=20201231T235959Z; attempt=2; max=3",
                true,
            ),
            ("grpc-previous-rpc-attempts", "2", true),
            ("x-other-field", "2", false),
        ] {
            let is_retry = is_client_retry(name, value.as_bytes());
            assert_eq!(is_retry, expected, "{name}: {value}");
        }
    }
}

use std::fmt;

use http::{HeaderMap, HeaderValue};

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
        let number = |text: &str| text.trim().parse::<u32>().unwrap_or(0);
        let value = |name| {
            headers
                .get(name)
                .and_then(|v: &HeaderValue| v.to_str().ok())
        };
        let is_counted = |name| value(name).is_some_and(|count| number(count) >= 1);
        is_counted("x-stainless-retry-count")
            || is_counted("grpc-previous-rpc-attempts")
            || value("amz-sdk-request").is_some_and(|request| {
                let mut parts = request.split(';');
                let attempt = parts.find_map(|part| part.trim().strip_prefix("attempt="));
                attempt.is_some_and(|attempt| number(attempt) >= 2)
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

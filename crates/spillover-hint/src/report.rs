use std::time::SystemTime;

use http::{HeaderMap, StatusCode};

use crate::{
    Dimension, Hint, Hints, Period, Refusal, body,
    evidence::Evidence,
    grpc,
    headers::Head,
    status::{self, Sight},
};

/// Everything a refusal says: what kind it is, when to come back, and why in the upstream's own words.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use http::{HeaderMap, StatusCode};
/// use spillover_hint::{Dimension, Period, Refusal, Report, Source};
///
/// // Gemini sends no field at all: everything is in the body.
/// let headers = HeaderMap::new();
/// let report = Report::from_head(StatusCode::TOO_MANY_REQUESTS, &headers).expect("a refusal");
/// assert_eq!(report.refusal(), Refusal::Throttled);
/// assert!(report.needs_body());
///
/// let report = report.with_body(br#"{"error": {
///     "code": 429,
///     "message": "Resource has been exhausted.",
///     "status": "RESOURCE_EXHAUSTED",
///     "details": [
///         {"@type": "type.googleapis.com/google.rpc.QuotaFailure",
///          "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},
///         {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
///     ]
/// }}"#);
/// let hint = report.hint(SystemTime::UNIX_EPOCH).expect("a hint");
/// assert_eq!(hint.wait(), Duration::from_millis(34_500));
/// assert_eq!(hint.source(), Source::RetryInfo);
/// assert_eq!(report.dimension(), Dimension::Requests);
/// assert_eq!(report.period(), Period::Minute);
/// assert_eq!(report.cause(), Some("Resource has been exhausted."));
///
/// // A success is no refusal, whatever it carries.
/// assert!(Report::from_head(StatusCode::OK, &headers).is_none());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Report {
    refusal: Refusal,
    status: Option<StatusCode>,
    hints: Hints,
    dimension: Dimension,
    period: Period,
    should_retry: Option<bool>,
    needs_body: bool,
    cause: Option<Box<str>>,
}

impl Report {
    /// Reads the head of a response. `None` if it is no refusal: 1xx, 2xx and 3xx, unless `grpc-status` says otherwise.
    ///
    /// This does not allocate, except for the details of gRPC.
    pub fn from_head(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let mut report = Self::new();
        let mut head = Head::default();
        head.read(headers, &mut report.hints.slots);
        if !status.is_client_error() && !status.is_server_error() {
            return report.with_grpc(&head);
        }

        let is_exhausted = report.finish(&head);
        let sight = Sight {
            status,
            head: &head,
            hints: &report.hints,
            is_exhausted,
        };
        report.refusal = sight.refusal();
        report.status = Some(status);
        if report.period.is_long() {
            report.refusal = report.refusal.refined(Refusal::Quota);
        }
        report.needs_body = !sight.is_settled(report.refusal);
        if report.needs_body {
            report.hints.keep_date(&head);
        }
        Some(report)
    }

    /// Reads the trailers of a gRPC response. `None` if they do not say that it failed.
    pub fn from_trailers(trailers: &HeaderMap) -> Option<Self> {
        let mut report = Self::new();
        let mut head = Head::default();
        head.read(trailers, &mut report.hints.slots);
        report.with_grpc(&head)
    }

    /// Reads an event of a stream that began with 200. `None` if it is no error.
    ///
    /// `name` is that of a server-sent event, or the `:exception-type` of an AWS event stream, or empty. `data` is what it
    /// holds. Errors come as `event: error` from
    /// [Anthropic](https://docs.anthropic.com/en/api/messages-streaming#error-events) and
    /// [OpenAI](https://platform.openai.com/docs/api-reference/responses-streaming/error), as `response.failed` and
    /// `response.done` from OpenAI, and as an object with an `error` from many others. In a message of
    /// [JSON-RPC](https://www.jsonrpc.org/specification#error_object), such as MCP's, it is an answer.
    pub fn from_event(name: &str, data: &[u8]) -> Option<Self> {
        let mut report = Self::new();
        let found = body::read_event(name, data, &mut report.hints)?;
        report.status = found.status.and_then(code);
        report.refusal = match (report.status.map(status::of), found.refusal) {
            (None, Some(found)) => found,
            (Some(status), _) => status,
            (None, None) => Refusal::Failing,
        };
        let (refusal, usual_status) = (found.refusal, found.usual_status);
        let mut report = report.with(found);
        if report.status.is_none() && refusal == Some(report.refusal) {
            report.status = usual_status.and_then(code);
        }
        Some(report)
    }

    /// Adds what the body says. It is to be decoded already, and at most 64 KiB of it are read; it may be cut off.
    ///
    /// Call it whenever the body is at hand; [`needs_body`](Self::needs_body) tells whether it is worth waiting for.
    pub fn with_body(mut self, body: &[u8]) -> Self {
        self.needs_body = false;
        let found = body::read(body, &mut self.hints);
        self.with(found)
    }

    /// What kind of refusal it is.
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// The status of the response; and of a refusal that came in a stream or in trailers, the status it stands for.
    ///
    /// | the error | status |
    /// |---|---|
    /// | has a number of its own, from 400 to 599 | that |
    /// | is named by a word that goes with another one than its kind | that: 529 for `overloaded_error`, 424 for `modelStreamErrorException`, 402 for `billing_error`, .. |
    /// | [`Throttled`](Refusal::Throttled), [`Quota`](Refusal::Quota) | 429 |
    /// | [`Capacity`](Refusal::Capacity) | 503 |
    /// | [`TooLarge`](Refusal::TooLarge) | 413 |
    /// | [`Credential`](Refusal::Credential) | 401 |
    /// | [`Client`](Refusal::Client) | 400 |
    /// | [`Failing`](Refusal::Failing) | 500 |
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or(match self.refusal {
            Refusal::Throttled | Refusal::Quota => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Capacity => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Credential => StatusCode::UNAUTHORIZED,
            Refusal::Client => StatusCode::BAD_REQUEST,
            Refusal::Failing => StatusCode::INTERNAL_SERVER_ERROR,
        })
    }

    /// Whether the body may say something that changes what is to be done.
    ///
    /// The head settles it when it leaves no doubt about the kind of the refusal and about the wait:
    ///
    /// * **429**: only if it states a wait of at most a minute, or one that a proxy's own limit caused, *and* names the
    ///   limit that ran out by a counter of zero or by its name. Vendors send `retry-after` also with limits per day and
    ///   with requests that are too large for good, where no counter is zero, or the wait is longer, or `x-should-retry` is
    ///   `false`; and with an exhausted account they send nothing.
    /// * **503, 529**: if they state any wait.
    /// * **400, 403**: hardly ever. Vendors use them for exhausted accounts, for prompts that are too long and for wrong keys.
    /// * **All others** are settled by the status.
    pub fn needs_body(&self) -> bool {
        self.needs_body
    }

    /// Everything that was said about when to come back.
    pub fn hints(&self) -> &Hints {
        &self.hints
    }

    /// When to come back; see [`Hints::choose`]. `None` also if the refusal does not [cool](Refusal::cools) the backend and
    /// is not about a credential, whatever wait it states.
    pub fn hint(&self, now: SystemTime) -> Option<Hint> {
        self.has_wait().then(|| self.hints.choose(now)).flatten()
    }

    /// The same for a backend that refused again right after its last hint was obeyed; see [`Hints::choose_again`].
    pub fn hint_again(&self, now: SystemTime) -> Option<Hint> {
        self.has_wait()
            .then(|| self.hints.choose_again(now))
            .flatten()
    }

    /// What the limit that ran out counts, if the response tells anywhere.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// How long the window of that limit is, if the response tells anywhere.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Whether the server says that it makes sense to send the request again: `x-should-retry`, or a gRPC pushback.
    ///
    /// It speaks of this backend only.
    pub fn should_retry(&self) -> Option<bool> {
        self.should_retry
    }

    /// The upstream's own message, in at most 300 characters on one line, fit for an answer to the client.
    ///
    /// `None` if the refusal is about a credential: such messages quote parts of it.
    pub fn cause(&self) -> Option<&str> {
        let is_secret = self.refusal == Refusal::Credential;
        self.cause.as_deref().filter(|_| !is_secret)
    }

    fn new() -> Self {
        Self {
            refusal: Refusal::Failing,
            status: None,
            hints: Hints::default(),
            dimension: Dimension::Unspecified,
            period: Period::Unknown,
            should_retry: None,
            needs_body: false,
            cause: None,
        }
    }

    /// Adds what is known only when all fields have been read, and tells whether the limit that ran out is known.
    fn finish(&mut self, head: &Head<'_>) -> bool {
        self.hints.finish(head);
        self.should_retry = head.signs.should_retry;
        let exhausted = head.exhausted();
        (self.dimension, self.period) = exhausted.unwrap_or_default();
        exhausted.is_some()
    }

    fn with_grpc(mut self, head: &Head<'_>) -> Option<Self> {
        self.refusal = grpc::refusal(head.signs.grpc_status?)?;
        self.finish(head);
        let found = grpc::read(&head.signs, &mut self.hints);
        Some(self.with(found))
    }

    fn with(mut self, found: Evidence) -> Self {
        if let Some(found) = found.refusal {
            self.refusal = self.refusal.refined(found);
        }
        if found.is_model_missing && self.refusal == Refusal::Credential {
            // OpenAI answers 403 for a model that the project may not use.
            self.refusal = Refusal::Client;
        }
        if let Some(said) = found.said {
            self.refusal = self.refusal.refined_by_prose(said);
        }
        if found.period > self.period || self.dimension == Dimension::Unspecified {
            self.dimension = match found.dimension {
                Dimension::Unspecified => self.dimension,
                dimension => dimension,
            };
        }
        self.period = self.period.max(found.period);
        self.cause = found.cause.or(self.cause);
        self
    }

    fn has_wait(&self) -> bool {
        self.refusal.cools() || self.refusal == Refusal::Credential
    }
}

fn code(status: u16) -> Option<StatusCode> {
    StatusCode::from_u16(status).ok()
}

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};

use crate::{
    Dimension, Hint, Hints, Period, Refusal, body,
    evidence::Evidence,
    grpc,
    headers::Head,
    status::{self, HeadView},
};

/// All facts of a refusal: its kind, the wait, and the upstream's own message.
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
    /// Reads the head of a response. Returns `None` unless it is a refusal: 1xx, 2xx and 3xx are none, except with a
    /// failing `grpc-status`.
    ///
    /// Does not allocate, except for gRPC details.
    pub fn from_head(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let mut report = Self::new();
        let mut head = Head::default();
        head.read(headers, &mut report.hints.slots);
        if !status.is_client_error() && !status.is_server_error() {
            return report.with_grpc(&head);
        }

        let is_exhausted = report.finish(&head);
        let head_view = HeadView {
            status,
            head: &head,
            hints: &report.hints,
            is_exhausted,
        };
        report.refusal = head_view.refusal();
        report.status = Some(status);
        if report.period.is_long() {
            report.refusal = report.refusal.refined(Refusal::Quota);
        }
        report.needs_body = !head_view.is_settled(report.refusal);
        if report.needs_body {
            report.hints.store_date(&head);
        }
        Some(report)
    }

    /// Reads the trailers of a gRPC response. Returns `None` if they report success.
    pub fn from_trailers(trailers: &HeaderMap) -> Option<Self> {
        let mut report = Self::new();
        let mut head = Head::default();
        head.read(trailers, &mut report.hints.slots);
        report.with_grpc(&head)
    }

    /// Reads an event of a stream that began with 200. Returns `None` unless it is an error.
    ///
    /// `name` is that of a server-sent event, or the `:exception-type` of an AWS event stream, or empty. `data` is its
    /// content. Errors come as `event: error` from
    /// [Anthropic](https://docs.anthropic.com/en/api/messages-streaming#error-events) and
    /// [OpenAI](https://platform.openai.com/docs/api-reference/responses-streaming/error), as `response.failed` and
    /// `response.done` from OpenAI, and as an object with an `error` from many others. An error in a
    /// [JSON-RPC](https://www.jsonrpc.org/specification#error_object) message, such as MCP's, is a normal answer.
    pub fn from_event(name: &str, data: &[u8]) -> Option<Self> {
        let mut report = Self::new();
        let found = body::read_event(name, data, &mut report.hints)?;
        report.status = found.status.and_then(code);
        report.refusal = match (report.status.map(status::refusal_of_status), found.refusal) {
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

    /// Adds the facts of the body, which must be decoded and may be cut off. At most 64 KiB are read.
    ///
    /// Call it whenever the body is at hand; [`needs_body`](Self::needs_body) tells if it is worth waiting for.
    pub fn with_body(mut self, body: &[u8]) -> Self {
        self.needs_body = false;
        let found = body::read(body, &mut self.hints);
        self.with(found)
    }

    /// Returns the kind of the refusal.
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Returns the status of the response. For a refusal in a stream or in trailers, returns the equivalent status:
    ///
    /// | the error | status |
    /// |---|---|
    /// | has a number of its own, from 400 to 599 | that number |
    /// | has a code with a status of its own | that status: 529 for `overloaded_error`, 424 for `modelStreamErrorException`, 402 for `billing_error`, .. |
    /// | [`Throttled`](Refusal::Throttled), [`Quota`](Refusal::Quota) | 429 |
    /// | [`Capacity`](Refusal::Capacity) | 503 |
    /// | [`TooLarge`](Refusal::TooLarge) | 413 |
    /// | [`Credential`](Refusal::Credential) | 401 |
    /// | [`Missing`](Refusal::Missing) | 404 |
    /// | [`Client`](Refusal::Client) | 400 |
    /// | [`Failing`](Refusal::Failing) | 500 |
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or(match self.refusal {
            Refusal::Throttled | Refusal::Quota => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Capacity => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Credential => StatusCode::UNAUTHORIZED,
            Refusal::Missing => StatusCode::NOT_FOUND,
            Refusal::Client => StatusCode::BAD_REQUEST,
            Refusal::Failing => StatusCode::INTERNAL_SERVER_ERROR,
        })
    }

    /// Returns true if the body may change how to react.
    ///
    /// The head is enough when it leaves no doubt about the kind and the wait:
    ///
    /// * **429**: the head is enough only if it states a wait of at most a minute *and* identifies the exhausted limit
    ///   by a counter of zero or by its name. A wait caused by a proxy's own limit is enough too. Vendors also send
    ///   `retry-after` for limits per day and for requests that are too large; then no counter is zero, or the wait is
    ///   longer, or `x-should-retry` is `false`. For an exhausted account they send nothing.
    /// * **503, 529**: the head is enough if it states any wait.
    /// * **400, 401, 403, 404**: the head is hardly ever enough. Vendors use them for exhausted accounts, long prompts,
    ///   wrong keys, and models that this backend lacks.
    /// * **All others**: the status is enough.
    pub fn needs_body(&self) -> bool {
        self.needs_body
    }

    /// Returns all stated waits and dates.
    pub fn hints(&self) -> &Hints {
        &self.hints
    }

    /// Returns the wait; see [`Hints::choose`]. Returns `None` if the refusal neither [needs a
    /// cooldown](Refusal::cools) nor is about a credential, whatever wait it states.
    pub fn hint(&self, now: SystemTime) -> Option<Hint> {
        self.has_wait().then(|| self.hints.choose(now)).flatten()
    }

    /// Returns the wait for a backend that refused again right after its last hint was obeyed; see
    /// [`Hints::choose_again`].
    pub fn hint_again(&self, now: SystemTime) -> Option<Hint> {
        self.has_wait()
            .then(|| self.hints.choose_again(now))
            .flatten()
    }

    /// Returns the dimension of the exhausted limit, if the response states it anywhere.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Returns the length of that limit's window, if the response states it anywhere.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Returns the server's advice on sending the request again: `x-should-retry`, or a gRPC pushback.
    ///
    /// The advice concerns this backend only.
    pub fn should_retry(&self) -> Option<bool> {
        self.should_retry
    }

    /// Returns the upstream's own message on one line of at most 300 characters, fit for an answer to the client.
    ///
    /// Returns `None` for a refused credential: such messages quote parts of it.
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

    /// Adds the values that are known only after all fields have been read. Returns true if the exhausted limit is
    /// known.
    fn finish(&mut self, head: &Head<'_>) -> bool {
        self.hints.finish(head);
        self.should_retry = head.signals.should_retry;
        let exhausted = head.exhausted();
        (self.dimension, self.period) = exhausted.unwrap_or_default();
        exhausted.is_some()
    }

    fn with_grpc(mut self, head: &Head<'_>) -> Option<Self> {
        self.refusal = grpc::refusal(head.signals.grpc_status?)?;
        self.finish(head);
        let found = grpc::read(&head.signals, &mut self.hints);
        Some(self.with(found))
    }

    fn with(mut self, found: Evidence) -> Self {
        if let Some(found) = found.refusal {
            self.refusal = self.refusal.refined(found);
        }
        // OpenAI answers 403 for a model that the project may not use, and Azure 404 for a deployment that is elsewhere.
        if found.is_missing && matches!(self.refusal, Refusal::Credential | Refusal::Client) {
            self.refusal = Refusal::Missing;
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

//! Streams that fail after a 200, in each vendor's format: the request is retried, and the client never sees the
//! failure.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{BodyExt, Collected};
use spillover_testing::{CapturedLog, Probe, ScriptedBody};
use spillover_tests::stack::SECOND;
use tokio::time::Instant;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_spillover::{
    Backend, BackendSnapshot, Class, Condition, Outcome, Pool, Scope, Selected,
    peek::StreamPeekLayer,
    refusal::ReadRefusalLayer,
    retry::{ReplayBody, RetryThrottledLayer},
    rewrite::RewriteRequestLayer,
    select::PrioritySelectLayer,
    throttle::ThrottleTrackerLayer,
};
use tracing::Level;

const SSE: &str = "text/event-stream; charset=utf-8";
const GRPC: &str = "application/grpc";

type Fields = &'static [(&'static str, &'static str)];

/// A vendor's success, its failure after a 200, and the expected result.
struct Vendor {
    content_type: &'static str,
    /// The head of the response that fails.
    head: Fields,
    failing: Stream,
    serving: Stream,
    condition: Condition,
    class: Class,
    status: u16,
    /// The body of the error.
    says: &'static str,
}

#[derive(Default)]
struct Stream {
    chunks: Vec<Bytes>,
    trailers: Fields,
}

impl Stream {
    fn new<T: Into<Bytes>, const N: usize>(chunks: [T; N]) -> Self {
        Self {
            chunks: chunks.map(Into::into).into(),
            trailers: &[],
        }
    }

    fn trailers(self, trailers: Fields) -> Self {
        Self { trailers, ..self }
    }

    /// Appends another stream and its end.
    fn then(mut self, other: Self) -> Self {
        self.chunks.extend(other.chunks);
        self.trailers(other.trailers)
    }

    fn body(&self) -> Body {
        let mut body = ScriptedBody::new();
        for chunk in &self.chunks {
            body = body.pending().data(chunk.clone());
        }
        if !self.trailers.is_empty() {
            body = body.pending().trailers(fields(self.trailers));
        }
        Body::new(body)
    }
}

fn fields(fields: Fields) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    fields.iter().map(field).collect()
}

/// Returns a message of an AWS event stream.
fn message(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    for (name, value) in headers {
        fields.push(name.len() as u8);
        fields.extend(name.as_bytes());
        fields.push(7);
        fields.extend((value.len() as u16).to_be_bytes());
        fields.extend(value.as_bytes());
    }
    let len = 16 + fields.len() + payload.len();
    let mut message = (len as u32).to_be_bytes().to_vec();
    message.extend((fields.len() as u32).to_be_bytes());
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.extend(fields);
    message.extend(payload.as_bytes());
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message
}

fn anthropic() -> Vendor {
    const START: &str =
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}\n\n";
    Vendor {
        content_type: SSE,
        head: &[("request-id", "req_1")],
        failing: Stream::new([
            START,
            "event: ping\ndata: {\"type\": \"ping\"}\n\n",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",",
            "\"message\":\"Overloaded\"}}\n\n",
        ]),
        serving: Stream::new([
            START,
            "event: content_block_delta\ndata: {\"delta\":{\"text\":\"Hello\"}}\n\n",
        ]),
        condition: Condition::Failing(10 * SECOND),
        class: Class::Capacity,
        status: 529,
        says: r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    }
}

fn openai() -> Vendor {
    const CREATED: &str = "event: response.created\ndata: {\"response\":{\"error\":null}}\n\n";
    Vendor {
        content_type: SSE,
        head: &[("x-request-id", "req_1")],
        failing: Stream::new([
            CREATED,
            "event: response.in_progress\ndata: {\"response\":{\"error\":null}}\n\n",
            "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"Please try again in 20s.\"}}}\n\n",
        ]),
        serving: Stream::new([
            CREATED,
            "event: response.output_text.delta\ndata: {\"delta\":\"Hello\"}\n\n",
        ]),
        condition: Condition::Throttled(20 * SECOND),
        class: Class::Throttled,
        status: 429,
        says: r#"{"error":{"code":"rate_limit_exceeded","message":"Please try again in 20s."}}"#,
    }
}

fn azure() -> Vendor {
    Vendor {
        content_type: SSE,
        head: &[("apim-request-id", "1")],
        failing: Stream::new([
            "data: {\"error\":{\"code\":\"429\",\"message\":\"Please retry after 26 seconds.\"}}\n\n",
        ]),
        serving: Stream::new([
            "data: {\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n",
            "data: [DONE]\n\n",
        ]),
        condition: Condition::Throttled(26 * SECOND),
        class: Class::Throttled,
        status: 429,
        says: r#"{"error":{"code":"429","message":"Please retry after 26 seconds."}}"#,
    }
}

fn bedrock() -> Vendor {
    let event = |name, payload| {
        message(
            &[(":message-type", "event"), (":event-type", name)],
            payload,
        )
    };
    let start = event("messageStart", r#"{"role":"assistant"}"#);
    let headers = [
        (":message-type", "exception"),
        (":exception-type", "throttlingException"),
    ];
    let exception = message(&headers, r#"{"message":"Too many tokens."}"#);
    let (begin, end) = exception.split_at(50);
    Vendor {
        content_type: "application/vnd.amazon.eventstream",
        head: &[("x-amzn-requestid", "1")],
        failing: Stream::new([&start, begin, end].map(Bytes::copy_from_slice)),
        serving: Stream::new([
            start.clone(),
            event("contentBlockDelta", r#"{"delta":{"text":"Hello"}}"#),
        ]),
        condition: Condition::Throttled(10 * SECOND),
        class: Class::Throttled,
        status: 429,
        says: r#"{"message":"Too many tokens."}"#,
    }
}

/// Returns a server that sends its head before it fails.
fn grpc() -> Vendor {
    Vendor {
        content_type: GRPC,
        head: &[],
        failing: Stream::default().trailers(&[
            ("grpc-status", "8"),
            ("grpc-message", "Quota%20exceeded"),
            ("grpc-retry-pushback-ms", "1500"),
        ]),
        serving: Stream::new(["\0\0\0\0\x01x"]).trailers(&[("grpc-status", "0")]),
        condition: Condition::Throttled(Duration::from_millis(1500)),
        class: Class::Throttled,
        status: 200,
        says: "",
    }
}

/// Returns a server that fails at once.
fn grpc_trailers_only() -> Vendor {
    Vendor {
        head: &[("grpc-status", "8"), ("grpc-retry-pushback-ms", "1500")],
        failing: Stream::default(),
        ..grpc()
    }
}

fn vendors() -> [Vendor; 6] {
    [
        anthropic(),
        openai(),
        azure(),
        bedrock(),
        grpc(),
        grpc_trailers_only(),
    ]
}

/// Returns two backends, and the layers over a client that gives these answers for their labels.
fn stack(
    answer: impl Fn(&str) -> Response<Body> + Send + 'static,
) -> (
    Pool,
    impl Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
) {
    let backends = [("a", 1), ("b", 2)].map(|(label, priority)| {
        let builder = Backend::builder(label).url(format!("https://{label}.example"));
        builder.priority(priority).build().unwrap()
    });
    let pool = Pool::new(backends).unwrap();
    let client = Probe::new(move |request: Request<ReplayBody<Body>>| {
        let response = answer(&request.uri().host().unwrap()[..1]);
        std::future::ready(Ok::<_, BoxError>(response))
    });
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(RetryThrottledLayer::new())
        .layer(PrioritySelectLayer::new(pool.clone()))
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .layer(ReadRefusalLayer::new())
        .layer(StreamPeekLayer::new())
        .service(client);
    (pool, service)
}

impl Vendor {
    fn fail(&self) -> Response<Body> {
        let mut response = self.respond(self.failing.body());
        response.headers_mut().extend(fields(self.head));
        response
    }

    fn serve(&self) -> Response<Body> {
        self.respond(self.serving.body())
    }

    fn respond(&self, body: Body) -> Response<Body> {
        let response = Response::builder().header("content-type", self.content_type);
        response.body(body).unwrap()
    }
}

fn request() -> Request<Body> {
    let request = Request::post("/v1/chat/completions");
    request.body(Body::from("question")).unwrap()
}

async fn collect(response: Response<Body>) -> Collected<Bytes> {
    response.into_body().collect().await.unwrap()
}

fn label(response: &Response<Body>) -> String {
    let selected = response.extensions().get::<Selected>();
    selected.unwrap().backend().label().to_owned()
}

fn snapshots(pool: &Pool) -> Vec<BackendSnapshot> {
    pool.snapshot(Scope::BACKEND, Instant::now())
}

#[tokio::test(start_paused = true)]
async fn client_sees_only_the_stream_that_succeeds() {
    for vendor in vendors() {
        let (says, condition) = (vendor.says, vendor.condition);
        let expected = collect(vendor.serve()).await;
        let (pool, stack) = stack(move |label| match label {
            "a" => vendor.fail(),
            _ => vendor.serve(),
        });
        let response = stack.oneshot(request()).await.unwrap();
        assert_eq!(response.status(), 200, "{says}");
        assert_eq!(label(&response), "b", "{says}");
        assert!(!response.headers().contains_key("grpc-status"));
        let found = collect(response).await;
        assert_eq!(found.trailers(), expected.trailers());
        assert_eq!(found.to_bytes(), expected.to_bytes());

        let [first, second] = &snapshots(&pool)[..] else {
            panic!("two backends");
        };
        assert_eq!(first.condition(), condition, "{says}");
        assert_eq!(second.condition(), Condition::Open, "{says}");
        assert_eq!(first.counts().broken, 0, "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn last_error_reaches_the_client_in_its_format() {
    for vendor in vendors() {
        let Vendor {
            says,
            status,
            class,
            head,
            content_type,
            ..
        } = vendor;
        let (_, stack) = stack(move |_| vendor.fail());
        let response = stack.oneshot(request()).await.unwrap();
        assert_eq!(response.status(), status, "{says}");
        let outcome = response.extensions().get::<Outcome>().unwrap();
        assert_eq!(outcome.class(), class, "{says}");
        let is_grpc = content_type == GRPC;
        let expected = if is_grpc { GRPC } else { "application/json" };
        assert_eq!(response.headers()["content-type"], expected);
        for (name, value) in head {
            assert_eq!(response.headers()[*name], *value, "{says}");
        }
        if is_grpc {
            assert_eq!(response.headers()["grpc-status"], "8");
        }
        let found = collect(response).await;
        assert!(found.trailers().is_none());
        assert_eq!(found.to_bytes(), says);
    }
}

#[tokio::test(start_paused = true)]
async fn error_after_content_reaches_the_client_and_is_counted() {
    for vendor in [anthropic(), openai(), azure(), bedrock(), grpc()] {
        let says = vendor.says;
        let late = vendor.serving.then(vendor.failing);
        let expected = late.chunks.concat();
        let content_type = vendor.content_type;
        let (pool, stack) = stack(move |_| {
            let response = Response::builder().header("content-type", content_type);
            response.body(late.body()).unwrap()
        });
        let response = stack.oneshot(request()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), label(&response)),
            (200, "a".to_owned())
        );
        assert_eq!(collect(response).await.to_bytes(), expected);
        let [first, second] = &snapshots(&pool)[..] else {
            panic!("two backends");
        };
        assert_eq!(first.condition(), Condition::Open, "{says}");
        assert_eq!(
            (first.counts().broken, second.counts().broken),
            (1, 0),
            "{says}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn error_after_content_is_logged_once() {
    let (log, _guard) = CapturedLog::start(Level::WARN);

    let vendor = anthropic();
    let late = vendor
        .serving
        .then(anthropic().failing)
        .then(vendor.failing);
    let (_, stack) = stack(move |_| {
        let response = Response::builder().header("content-type", SSE);
        response.body(late.body()).unwrap()
    });
    collect(stack.oneshot(request()).await.unwrap()).await;
    let log = log.text();
    assert_eq!(log.lines().count(), 1, "{log}");
    for part in [
        "WARN",
        "backend=\"a\"",
        "class=\"capacity\"",
        "cause=\"Overloaded\"",
    ] {
        assert!(log.contains(part), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn stream_that_breaks_off_before_content_fails_over() {
    for vendor in vendors() {
        let says = vendor.says;
        let (pool, stack) = stack(move |label| match label {
            "a" => vendor.respond(Body::new(ScriptedBody::new().error("reset by peer"))),
            _ => vendor.serve(),
        });
        let response = stack.oneshot(request()).await.unwrap();
        assert_eq!(label(&response), "b", "{says}");
        collect(response).await;
        let condition = snapshots(&pool)[0].condition();
        assert_eq!(condition, Condition::Failing(10 * SECOND), "{says}");
    }
}

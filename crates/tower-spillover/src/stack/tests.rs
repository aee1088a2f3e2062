use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use spillover_core::{
    Answer, Attempts, Backend, Class, Condition, Pool, Scope, Selected, StatusClassifier,
};
use spillover_testing::{Probe, ScriptedBody};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_layer::Layer;

use super::*;
use crate::{hedge::HedgeLayer, retry::ReplayBody, select::WhenExhausted};

type Body = Full<Bytes>;
type Client = Probe<ReplayBody<Body>, ScriptedBody, &'static str>;
type Answered = Result<Response<ScriptedBody>, &'static str>;

const SECOND: Duration = Duration::from_secs(1);

/// Creates a pool of two backends. The first one is preferred.
fn pool() -> Pool {
    let backend = |label: &str, priority| {
        let backend = Backend::builder(label).url(format!("https://{label}.example"));
        backend.priority(priority).build().unwrap()
    };
    Pool::new([backend("a", 1), backend("b", 2)]).unwrap()
}

/// Creates a client whose first backend answers with `first` after a delay, and whose second one answers with a stream.
fn client(delay: Duration, first: impl Fn() -> Answered + Send + Sync + 'static) -> Client {
    Probe::new(move |request: Request<ReplayBody<Body>>| {
        let is_first = request.uri().host() == Some("a.example");
        let (delay, answer) = match is_first {
            true => (delay, first()),
            false => (Duration::ZERO, Ok(stream("data: {\"choices\":[]}\n\n"))),
        };
        async move {
            request.into_body().collect().await.unwrap();
            sleep(delay).await;
            answer
        }
    })
}

fn stream(events: &'static str) -> Response<ScriptedBody> {
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(ScriptedBody::new().data(events)).unwrap()
}

fn status(status: u16) -> Response<ScriptedBody> {
    let response = Response::builder().status(status);
    response.body(ScriptedBody::new()).unwrap()
}

fn request() -> Request<Body> {
    let request = Request::post("/v1/chat/completions");
    request.body(Full::from("question")).unwrap()
}

/// Returns the status, the backend and the number of attempts.
fn summary<B>(response: &Response<B>) -> (u16, &str, u32) {
    let extensions = response.extensions();
    let backend = extensions.get::<Selected>().unwrap().backend().label();
    let attempts = extensions.get::<Attempts>().map_or(1, Attempts::count);
    (response.status().as_u16(), backend, attempts)
}

#[tokio::test(start_paused = true)]
async fn stack_retries_refusals_and_counts_requests_in_flight() {
    const OVERLOADED: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
    );
    let quota = || {
        let body = ScriptedBody::new().data(r#"{"error":{"code":"insufficient_quota"}}"#);
        let response = Response::builder().status(429).body(body);
        Ok(response.unwrap())
    };
    let minutes = 300 * SECOND;
    let cases: [(Client, Condition); 3] = [
        (client(Duration::ZERO, quota), Condition::Throttled(minutes)),
        (
            client(Duration::ZERO, || Ok(stream(OVERLOADED))),
            Condition::Failing(10 * SECOND),
        ),
        (
            client(Duration::ZERO, || Err("reset")),
            Condition::Failing(10 * SECOND),
        ),
    ];
    for (client, condition) in cases {
        let pool = pool();
        let stack = SpilloverLayer::new(pool.clone()).layer(client);
        let response = stack.oneshot(request()).await.unwrap();
        assert_eq!(summary(&response), (200, "b", 2));

        let snapshots = || pool.snapshot(Scope::BACKEND, Instant::now());
        assert_eq!(snapshots()[0].condition(), condition);
        assert_eq!([0, 1].map(|i| snapshots()[i].in_flight()), [0, 1]);
        let (_extensions, body) = response.into_parts();
        body.collect().await.unwrap();
        assert_eq!([0, 1].map(|i| snapshots()[i].in_flight()), [0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn options_of_the_stack_are_set_on_its_layers() {
    let refused = || client(Duration::ZERO, || Ok(status(503)));
    let one = SpilloverLayer::new(pool()).retry(|retry| retry.max_attempts(1));
    let response = one.layer(refused()).oneshot(request()).await.unwrap();
    assert_eq!(summary(&response), (503, "a", 1));

    let layer = SpilloverLayer::new(pool())
        .tracker(|tracker| tracker.cooldowns(Default::default()))
        .peek(|peek| peek.max_held(0))
        .select(|select| select.when_exhausted(WhenExhausted::Reject));
    assert!(layer.to_string().contains("Reject"));
    assert!(layer.to_string().ends_with("0 bytes, 5s"));
    let layer = layer.peek(|peek| peek.first_token(3 * SECOND));
    assert!(layer.to_string().ends_with("5s; given up after 3s"));
}

#[tokio::test(start_paused = true)]
async fn stack_hedges_only_with_a_hedge_layer() {
    let slow = || client(5 * SECOND, || Ok(status(200)));
    let layer = SpilloverLayer::new(pool());
    let response = layer.layer(slow()).oneshot(request()).await.unwrap();
    assert_eq!(summary(&response), (200, "a", 1));
    assert!(!layer.to_string().contains("Hedge"));

    let layer = layer.hedge(HedgeLayer::new(SECOND));
    let response = layer.layer(slow()).oneshot(request()).await.unwrap();
    assert_eq!(summary(&response), (200, "b", 2));
    assert!(
        layer
            .to_string()
            .contains("Hedge             a second attempt after 1s")
    );
}

#[tokio::test(start_paused = true)]
async fn classifier_of_the_stack_is_used_by_all_layers() {
    // This classifier takes errors and 503 for client errors.
    fn careful<E>(answer: &Answer<'_, E>) -> Class {
        match answer.status().map(|status| status.as_u16()) {
            None | Some(503) => Class::ClientError,
            _ => StatusClassifier::new().classify(answer),
        }
    }
    use spillover_core::Classify;

    for hedged in [false, true] {
        let mut layer = SpilloverLayer::new(pool());
        if hedged {
            layer = layer.hedge(HedgeLayer::new(60 * SECOND));
        }
        let layer = layer.with_classify(careful::<&'static str>);
        let refused = client(Duration::ZERO, || Ok(status(503)));
        let response = layer.layer(refused).oneshot(request()).await.unwrap();
        assert_eq!(summary(&response), (503, "a", 1));
        let failing = client(Duration::ZERO, || Err("reset"));
        let result = layer.layer(failing).oneshot(request()).await;
        assert_eq!(result.err(), Some("reset"));
    }
}

#[test]
fn body_without_default_can_be_used() {
    struct NeverEmpty;

    impl http_body::Body for NeverEmpty {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            unreachable!("the test creates no such body")
        }
    }

    use http_body::Body as _;
    assert!(ResponseBody::<NeverEmpty>::default().is_end_stream());
}

//! The layer in the stack, with the layers around it.
#![cfg(all(feature = "retry", feature = "select", feature = "throttle"))]

use http_body_util::Full;
use spillover_core::{Class, Condition, Outcome};
use tower::ServiceBuilder;

use super::*;
use crate::{
    body::GuardedBody,
    retry::{ReplayBody, RetryThrottledLayer},
    select::PrioritySelectLayer,
    throttle::{Attempt, ThrottleTrackerLayer},
};

type Answered = GuardedBody<PeekedBody<ScriptedBody>, Attempt>;

fn two_backends() -> Pool {
    let backends = [("a", 1), ("b", 2)].map(|(label, priority)| {
        let builder = Backend::builder(label).url(format!("http://{label}.example"));
        builder.priority(priority).build().expect("a backend")
    });
    Pool::new(backends).expect("a pool")
}

/// Sends a request through the stack. Each backend answers with the stream for its label.
async fn send(
    pool: &Pool,
    content_type: &'static str,
    answer: impl Fn(&str) -> ScriptedBody + Send + 'static,
) -> Response<Answered> {
    let (retry, peek) = (RetryThrottledLayer::new(), StreamPeekLayer::new());
    send_through(retry, peek, pool, content_type, answer).await
}

async fn send_through(
    retry: RetryThrottledLayer,
    peek: StreamPeekLayer,
    pool: &Pool,
    content_type: &'static str,
    answer: impl Fn(&str) -> ScriptedBody + Send + 'static,
) -> Response<Answered> {
    let probe = Probe::new(move |request: Request<ReplayBody<Full<Bytes>>>| {
        let selected = request.extensions().get::<Selected>();
        let body = answer(selected.expect("a backend").backend().label());
        async move {
            request.into_body().collect().await.expect("the question");
            Ok::<_, Infallible>(respond(content_type, body))
        }
    });
    let service = ServiceBuilder::new()
        .layer(retry)
        .layer(PrioritySelectLayer::new(pool.clone()))
        .layer(ThrottleTrackerLayer::new())
        .layer(peek)
        .service(probe);
    let response = service.oneshot(Request::new(Full::from("{}"))).await;
    response.unwrap_or_else(|error| match error {})
}

fn conditions(pool: &Pool) -> Vec<Condition> {
    let snapshots = pool.snapshot(Scope::BACKEND, Instant::now());
    snapshots.iter().map(|it| it.condition()).collect()
}

#[tokio::test(start_paused = true)]
async fn client_gets_only_the_stream_of_the_backend_that_serves() {
    let pool = two_backends();
    let response = send(&pool, SSE, |label| match label {
        "a" => chunks([START, PING, OVERLOADED]),
        _ => chunks([START, CONTENT]),
    })
    .await;
    assert_eq!(response.status(), 200);
    let selected = response.extensions().get::<Selected>();
    assert_eq!(selected.expect("a backend").backend().label(), "b");
    assert_eq!(bytes(response).await, [START, CONTENT].concat());
    let [
        Condition::Failing(_) | Condition::Throttled(_),
        Condition::Open,
    ] = conditions(&pool)[..]
    else {
        panic!("the first is closed: {:?}", conditions(&pool));
    };
}

#[tokio::test(start_paused = true)]
async fn last_error_is_returned_to_the_client() {
    let pool = two_backends();
    let response = send(&pool, SSE, |_| chunks([START, OVERLOADED])).await;
    assert_eq!(response.status(), 529);
    let outcome = response.extensions().get::<Outcome>().expect("an outcome");
    assert_eq!(outcome.class(), Class::Capacity);
    let body = bytes(response).await;
    assert!(body.starts_with(br#"{"type":"error""#));
}

#[tokio::test(start_paused = true)]
async fn request_is_retried_after_a_stream_that_breaks_off() {
    for content_type in [SSE, EVENT_STREAM, GRPC] {
        let pool = two_backends();
        let content = match content_type {
            SSE => CONTENT.as_bytes().to_vec(),
            EVENT_STREAM => event("contentBlockDelta", "{}"),
            _ => vec![0; 5],
        };
        let expected = content.clone();
        let response = send(&pool, content_type, move |label| match label {
            "a" => ScriptedBody::new().error("reset by peer"),
            _ => chunks([content.clone()]),
        })
        .await;
        assert_eq!(bytes(response).await, expected);
        assert_ne!(conditions(&pool)[0], Condition::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn request_is_retried_after_a_grpc_error_before_any_message() {
    let pool = two_backends();
    let response = send(&pool, GRPC, |label| match label {
        "a" => ScriptedBody::new().trailers(headers(&[
            ("grpc-status", "8"),
            ("grpc-retry-pushback-ms", "1500"),
        ])),
        _ => chunks(["\0\0\0\0\0"]).trailers(headers(&[("grpc-status", "0")])),
    })
    .await;
    let body = response.into_body().collect().await.expect("a body");
    assert_eq!(body.trailers(), Some(&headers(&[("grpc-status", "0")])));
    let wait = Duration::from_millis(1500);
    assert_eq!(
        conditions(&pool),
        [Condition::Throttled(wait), Condition::Open]
    );
}

#[tokio::test(start_paused = true)]
async fn error_caused_by_the_request_does_not_close_the_backend() {
    let pool = two_backends();
    let invalid = "data: {\"error\":{\"type\":\"invalid_request_error\",\"message\":\"x\"}}\n\n";
    let response = send(&pool, SSE, move |_| chunks([invalid])).await;
    assert_eq!(response.status(), 400);
    assert_eq!(conditions(&pool), [Condition::Open; 2]);
}

fn stalled() -> ScriptedBody {
    ScriptedBody::new().data(START).pause()
}

#[tokio::test(start_paused = true)]
async fn request_is_retried_after_a_stream_that_stalls_before_its_content() {
    let pool = two_backends();
    let begun = Instant::now();
    let peek = StreamPeekLayer::new().first_token(3 * SECOND);
    let retry = RetryThrottledLayer::new();
    let response = send_through(retry, peek, &pool, SSE, |label| match label {
        "a" => stalled(),
        _ => chunks([PING, CONTENT]),
    });
    let response = response.await;
    assert_eq!(Instant::now() - begun, 3 * SECOND);
    assert_eq!(bytes(response).await, [PING, CONTENT].concat());
    let failing = Condition::Failing(10 * SECOND);
    assert_eq!(conditions(&pool), [failing, Condition::Open]);
    let snapshots = pool.snapshot(Scope::BACKEND, Instant::now());
    let cause = snapshots[0].cause().expect("the backend is closed");
    let message = "the upstream's response had no content within 3s";
    assert_eq!(cause.message(), Some(message));
}

#[tokio::test(start_paused = true)]
async fn stalled_stream_of_the_last_attempt_is_passed_on() {
    let layer = RetryThrottledLayer::new;
    for (retry, stalls, served_by, closed) in [
        // Each backend stalls: the stream of the last one is passed on.
        (layer(), &["a", "b"][..], "b", 1),
        // The first attempt is the only one, by `max_attempts` or by the deadline.
        (layer().max_attempts(1), &["a"], "a", 0),
        (layer().deadline(2 * SECOND), &["a"], "a", 0),
        (layer().deadline(4 * SECOND), &["a"], "b", 1),
    ] {
        let pool = two_backends();
        let peek = StreamPeekLayer::new().first_token(3 * SECOND);
        let response = send_through(retry, peek, &pool, SSE, |label| {
            if stalls.contains(&label) {
                stalled()
            } else {
                chunks([CONTENT])
            }
        });
        let response = response.await;
        assert_eq!(response.status(), 200);
        let selected = response.extensions().get::<Selected>();
        assert_eq!(selected.expect("a backend").backend().label(), served_by);
        let is_closed = |condition: &Condition| *condition != Condition::Open;
        let conditions = conditions(&pool);
        assert_eq!(conditions.iter().filter(|it| is_closed(it)).count(), closed);
    }
}

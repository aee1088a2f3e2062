//! Hedging over real connections. The loser has sent the whole body, is not disturbed by the second attempt, and is
//! cancelled.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::e2e::{behaving, healthy, soon};
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_spillover::{
    Backend, Pool, Scope, Selected,
    hedge::{HedgeLayer, Hedged},
    retry::RetryThrottledLayer,
    rewrite::RewriteRequestLayer,
    select::PrioritySelectLayer,
    throttle::ThrottleTrackerLayer,
};

/// Long enough to send a mebibyte on a busy machine.
const DELAY: Duration = Duration::from_secs(1);

const CHUNK: usize = 1 << 16;

fn body() -> Bytes {
    (0..=u8::MAX).cycle().take(16 * CHUNK).collect()
}

fn pool(backends: [&MockUpstream; 3]) -> Pool {
    let backend = |(mock, priority): (&MockUpstream, u32)| {
        let builder = Backend::builder(format!("b{priority}")).url(mock.url());
        builder.priority(priority).build().expect("a backend")
    };
    Pool::new(backends.into_iter().zip(1..).map(backend)).expect("a pool")
}

async fn send(pool: &Pool, is_http2: bool, body: Body) -> Response<Bytes> {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(is_http2)
        .build_http();
    let stack = ServiceBuilder::new()
        .layer(RetryThrottledLayer::new())
        .layer(HedgeLayer::new(DELAY))
        .layer(PrioritySelectLayer::new(pool.clone()))
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .map_response(|response: Response<hyper::body::Incoming>| response.map(Body::new))
        .map_err(BoxError::from)
        .service(client);
    let request = Request::post("/v1/chat/completions").body(body);
    let sent = soon(stack.oneshot(request.expect("a request"))).await;
    let (head, body) = sent.expect("an answer").into_parts();
    let body = soon(body.collect()).await.expect("a body").to_bytes();
    Response::from_parts(head, body)
}

/// Checks that the second backend serves when the first never answers, or that the third serves when both refuse after
/// the delay.
async fn assert_served(is_http2: bool, is_refused: bool, sent: Body) {
    let (slow, quick) = (behaving(Behavior::stall()).await, healthy().await);
    let third = healthy().await;
    if is_refused {
        slow.handle()
            .set_behavior(Behavior::status(503).after(2 * DELAY));
        quick.handle().set_behavior(Behavior::status(429));
    }
    let pool = pool([&slow, &quick, &third]);
    let response = send(&pool, is_http2, sent).await;
    assert_eq!(response.status(), 200);
    assert!(response.body() == &body());

    let extensions = response.extensions();
    let backend = extensions.get::<Selected>().expect("a Selected").backend();
    assert_eq!(backend.label(), if is_refused { "b3" } else { "b2" });
    for mock in [&slow, &quick] {
        let request = mock.handle().last_request().expect("a request");
        assert!(request.body == body());
        assert_eq!(mock.handle().requests().len(), 1);
    }
    if !is_refused {
        assert!(extensions.get::<Hedged>().is_some_and(|it| it.has_won()));
        soon(slow.handle().wait_for(|stats| stats.cancelled == 1)).await;
        let now = tokio::time::Instant::now();
        let counts = pool.snapshot(Scope::BACKEND, now)[0].counts();
        assert_eq!((counts.cancelled, counts.failed), (1, 0));
    }
}

fn sized() -> Body {
    Body::from(body())
}

/// Returns a body whose end shows only when more is requested.
fn in_chunks() -> Body {
    let chunks: Vec<_> = body().chunks(CHUNK).map(Bytes::copy_from_slice).collect();
    Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, Infallible>)))
}

#[tokio::test]
async fn over_http1() {
    assert_served(false, false, sized()).await;
}

#[tokio::test]
async fn over_http1_in_chunks() {
    assert_served(false, false, in_chunks()).await;
}

#[tokio::test]
async fn over_http2() {
    assert_served(true, false, sized()).await;
}

#[tokio::test]
async fn over_http2_in_chunks() {
    assert_served(true, false, in_chunks()).await;
}

#[tokio::test]
async fn third_gets_it_whole_over_http1() {
    assert_served(false, true, in_chunks()).await;
}

#[tokio::test]
async fn third_gets_it_whole_over_http2() {
    assert_served(true, true, in_chunks()).await;
}

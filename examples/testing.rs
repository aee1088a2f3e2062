//! Tests of a custom stack with `spillover-testing`: without sockets on paused time, and over connections to a mock server
//! with the limits of Azure.
//!
//! ```sh
//! cargo test -p spillover-examples --test testing
//! ```

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use spillover_testing::{Probe, limit::Payg, upstream::MockUpstream};
use tokio::time::{Instant, advance};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, timeout::TimeoutLayer};
use tower_spillover::{
    Backend, Pool, Selected,
    retry::ReplayBody,
    stack::{ResponseBody, SpilloverLayer},
};

/// Creates the stack under test. The client is an argument, so that a test can replace it.
fn stack<S>(
    pool: Pool,
    client: S,
) -> impl Service<Request<Body>, Response = Response<ResponseBody<Body>>, Error = BoxError> + Clone
where
    S: Service<Request<ReplayBody<Body>>, Response = Response<Body>> + Clone,
    S::Error: Into<BoxError>,
{
    ServiceBuilder::new()
        .layer(SpilloverLayer::new(pool))
        .layer(TimeoutLayer::new(Duration::from_secs(20)))
        .service(client)
}

fn pool(urls: [&str; 2]) -> Pool {
    let ptu = Backend::builder("ptu").url(urls[0]).priority(1);
    let payg = Backend::builder("payg").url(urls[1]).priority(2);
    Pool::new([ptu.build().unwrap(), payg.build().unwrap()]).unwrap()
}

/// Sends a small chat request, and returns the label of the backend that answers.
async fn ask<S, B>(stack: &S) -> String
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone,
{
    let body = r#"{"model": "gpt-4o", "messages": [], "max_tokens": 600}"#;
    let request = Request::post("/v1/chat/completions")
        .body(Body::from(body))
        .unwrap();
    let response = stack.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let selected = response.extensions().get::<Selected>().unwrap();
    selected.backend().label().to_owned()
}

/// Runs on paused time, which moves only when the test advances it.
#[tokio::test(start_paused = true)]
async fn throttled_backend_is_used_again_after_the_stated_wait() {
    let begun = Instant::now();
    let client = Probe::new(move |request: Request<ReplayBody<Body>>| async move {
        let is_early = Instant::now() < begun + Duration::from_secs(7);
        let response = match request.uri().host() {
            Some("ptu.test") if is_early => {
                Response::builder().status(429).header("retry-after", "7")
            }
            _ => Response::builder(),
        };
        Ok::<_, BoxError>(response.body(Body::empty()).unwrap())
    });
    let probe = client.handle();
    let stack = stack(pool(["http://ptu.test", "http://payg.test"]), client);

    assert_eq!(ask(&stack).await, "payg");
    assert_eq!(probe.calls(), 2);
    advance(Duration::from_secs(6)).await;
    assert_eq!(ask(&stack).await, "payg");
    assert_eq!(probe.calls(), 3);
    advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&stack).await, "ptu");

    // The probe panics on a call of a clone that was not polled ready. Most clients would not notice.
    assert_eq!(probe.violations(), 0);
}

/// Runs on paused time, which jumps to the next timer when all tasks wait.
#[tokio::test(start_paused = true)]
async fn request_spills_after_the_timeout_of_a_backend_that_hangs() {
    let begun = Instant::now();
    let client = Probe::new(|request: Request<ReplayBody<Body>>| async move {
        if request.uri().host() == Some("ptu.test") {
            std::future::pending::<()>().await;
        }
        Ok::<_, BoxError>(Response::new(Body::empty()))
    });
    let probe = client.handle();
    let stack = stack(pool(["http://ptu.test", "http://payg.test"]), client);

    assert_eq!(ask(&stack).await, "payg");
    assert_eq!(Instant::now() - begun, Duration::from_secs(20));
    assert_eq!((probe.cancelled(), probe.in_flight()), (1, 0));
}

/// Runs in real time, since connections need it.
#[tokio::test]
async fn request_above_the_token_limit_spills() {
    let ptu = MockUpstream::builder()
        .limit(Payg::new(1_000))
        .start()
        .await
        .unwrap();
    let payg = MockUpstream::builder().start().await.unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<ReplayBody<Body>>();
    let client = client.map_response(|response| response.map(Body::new));
    let stack = stack(pool([&ptu.url(), &payg.url()]), client);

    // The first request uses 600 of 1,000 tokens. The second one needs another 600.
    assert_eq!(ask(&stack).await, "ptu");
    assert_eq!(ask(&stack).await, "payg");
    let stats = ptu.handle().stats();
    assert_eq!((stats.served, stats.throttled), (1, 1));
    let [first, second] = &ptu.handle().requests()[..] else {
        panic!("two requests");
    };
    assert_eq!(first.body, second.body);
}

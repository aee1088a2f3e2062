//! Effects of layers in another order than the usual one, as documented at the crate.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use spillover_testing::Probe;
use tokio::time::{Instant, sleep};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, timeout::TimeoutLayer};
use tower_spillover::{
    Backend, Condition, Credential, Pool, Scope,
    hedge::HedgeLayer,
    refusal::ReadRefusalLayer,
    retry::{ReplayBody, RetryThrottledLayer},
    rewrite::RewriteRequestLayer,
    select::PrioritySelectLayer,
    throttle::ThrottleTrackerLayer,
};

type Body = Full<Bytes>;
type Client<B> = Probe<B, Body, BoxError>;

const SECOND: Duration = Duration::from_secs(1);

/// Creates a pool of two backends. The first one is preferred.
fn pool() -> Pool {
    let backend = |label: &str, priority| {
        let backend = Backend::builder(label).url(format!("https://{label}.example"));
        let backend = backend.credential(Credential::api_key("of-the-pool").unwrap());
        backend.priority(priority).build().unwrap()
    };
    Pool::new([backend("a", 1), backend("b", 2)]).unwrap()
}

/// Creates a client whose first backend refuses because of an exhausted quota.
fn client<B: Send + 'static>() -> Client<B> {
    Probe::new(|request: Request<B>| {
        let is_first = request.uri().host() == Some("a.example");
        let (status, body) = match is_first {
            true => (429, r#"{"error":{"code":"insufficient_quota"}}"#),
            false => (200, ""),
        };
        let response = Response::builder().status(status);
        std::future::ready(Ok(response.body(Full::from(body)).unwrap()))
    })
}

/// Sends a small request, and returns the status of the answer.
async fn send<S, B>(stack: S) -> Result<u16, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
{
    let request = Request::post("/v1/chat/completions").header("api-key", "of-the-client");
    let request = request.body(Full::from("question")).unwrap();
    Ok(stack.oneshot(request).await?.status().as_u16())
}

fn condition(pool: &Pool) -> Condition {
    pool.snapshot(Scope::BACKEND, Instant::now())[0].condition()
}

#[tokio::test(start_paused = true)]
async fn select_outside_retry_prevents_retries() {
    let stack = ServiceBuilder::new()
        .layer(PrioritySelectLayer::new(pool()))
        .layer(RetryThrottledLayer::new())
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .service(client::<ReplayBody<Body>>());
    assert_eq!(send(stack).await.unwrap(), 429);
}

#[tokio::test(start_paused = true)]
async fn rewrite_outside_select_does_not_rewrite() {
    let client: Client<Body> = Probe::new(|request: Request<Body>| {
        assert_eq!(request.uri(), "/v1/chat/completions");
        assert_eq!(request.headers()["api-key"], "of-the-client");
        std::future::ready(Ok(Response::new(Body::default())))
    });
    let stack = ServiceBuilder::new()
        .layer(RewriteRequestLayer::new())
        .layer(PrioritySelectLayer::new(pool()))
        .service(client);
    assert_eq!(send(stack).await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn tracker_outside_select_does_not_close_the_backend() {
    let pool = pool();
    let stack = ServiceBuilder::new()
        .layer(ThrottleTrackerLayer::new())
        .layer(PrioritySelectLayer::new(pool.clone()))
        .layer(RewriteRequestLayer::new())
        .service(client::<Body>());
    assert_eq!(send(stack).await.unwrap(), 429);
    assert_eq!(condition(&pool), Condition::Open);
}

#[tokio::test(start_paused = true)]
async fn read_refusal_outside_the_tracker_does_not_affect_the_cooldown() {
    let pool = pool();
    let stack = ServiceBuilder::new()
        .layer(PrioritySelectLayer::new(pool.clone()))
        .layer(RewriteRequestLayer::new())
        .layer(ReadRefusalLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .service(client::<Body>());
    assert_eq!(send(stack).await.unwrap(), 429);
    assert_eq!(condition(&pool), Condition::Throttled(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn timeout_outside_the_tracker_does_not_close_the_backend() {
    let hangs = || -> Client<Body> { Probe::new(|_| std::future::pending()) };
    let timeout = TimeoutLayer::new(SECOND);

    let pool_outside = pool();
    let outside = ServiceBuilder::new()
        .layer(PrioritySelectLayer::new(pool_outside.clone()))
        .layer(timeout.clone())
        .layer(ThrottleTrackerLayer::new())
        .service(hangs());
    send(outside).await.unwrap_err();
    assert_eq!(condition(&pool_outside), Condition::Open);

    let pool_inside = pool();
    let inside = ServiceBuilder::new()
        .layer(PrioritySelectLayer::new(pool_inside.clone()))
        .layer(ThrottleTrackerLayer::new())
        .layer(timeout)
        .service(hangs());
    send(inside).await.unwrap_err();
    assert_eq!(condition(&pool_inside), Condition::Failing(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn hedge_outside_retry_is_sent_to_the_backend_of_the_first_attempt() {
    let client: Client<ReplayBody<Body>> = Probe::new(|request: Request<ReplayBody<Body>>| {
        assert_eq!(request.uri().host(), Some("a.example"));
        async {
            request.into_body().collect().await.unwrap();
            sleep(3 * SECOND).await;
            Ok(Response::new(Body::default()))
        }
    });
    let handle = client.handle();
    let stack = ServiceBuilder::new()
        .layer(HedgeLayer::new(SECOND))
        .layer(RetryThrottledLayer::new())
        .layer(PrioritySelectLayer::new(pool()))
        .layer(RewriteRequestLayer::new())
        .service(client);
    assert_eq!(send(stack).await.unwrap(), 200);
    assert_eq!(handle.calls(), 2);
}

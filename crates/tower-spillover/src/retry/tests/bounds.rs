//! Limits that end the attempts while backends are left: the deadline, and the budget for retries of clients.

use std::time::Duration;

use http::Request;
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt, retry::budget::TpsBudget};
use tower_layer::Layer;

use super::{inner::*, *};

const SECOND: Duration = Duration::from_secs(1);

/// Creates a service that refuses each attempt after a second, and serves the last one.
fn slow_backends(attempts: usize) -> Inner {
    let mut attempt = 0;
    spillover_testing::Probe::new(move |request: Request<ReplayBody<ScriptedBody>>| {
        mark_next(&request);
        attempt += 1;
        let (attempt, status) = (attempt, if attempt == attempts { 200 } else { 503 });
        async move {
            sleep(SECOND).await;
            Ok(response(status, attempt))
        }
    })
}

/// Creates a request that a client sends for the nth time after the first. The first request has count 0.
fn client_retry(count: &'static str) -> Request<ScriptedBody> {
    let mut request = request(ScriptedBody::new());
    let count = count.parse().unwrap();
    request
        .headers_mut()
        .insert("x-stainless-retry-count", count);
    request
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_deadline() {
    let layer = RetryThrottledLayer::new().deadline(SECOND * 3);
    let begun = Instant::now();
    assert_eq!(send(layer.layer(slow_backends(9))).await, Ok((503, 3)));
    assert_eq!(Instant::now() - begun, SECOND * 3);
    assert_eq!(send(layer.layer(slow_backends(3))).await, Ok((200, 3)));
}

#[tokio::test(start_paused = true)]
async fn deadline_counts_from_the_beginning_of_each_request() {
    let layer = RetryThrottledLayer::new().deadline(SECOND * 2);
    let mut service = layer.layer(slow_backends(2));
    for expected in [200, 503] {
        sleep(SECOND * 10).await;
        let ready = service.ready().await.unwrap();
        let response = ready.call(request(ScriptedBody::new())).await.unwrap();
        assert_eq!(response.status().as_u16(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn retries_of_clients_are_limited_by_the_budget() {
    // One attempt per second over ten seconds: ten attempts may be made at once.
    let budget = TpsBudget::new(SECOND * 10, 1, 0.0);
    let layer = RetryThrottledLayer::new().sdk_retry_budget(budget);
    let status = async |request| {
        let service = layer.layer(backends([Ok(503), Ok(200)]));
        service.oneshot(request).await.unwrap().status().as_u16()
    };
    for _ in 0..10 {
        assert_eq!(status(client_retry("1")).await, 200);
    }
    assert_eq!(status(client_retry("2")).await, 503);
    let mut of_aws = request(ScriptedBody::new());
    let again = "attempt=2; max=3".parse().unwrap();
    of_aws.headers_mut().insert("amz-sdk-request", again);
    assert_eq!(status(of_aws).await, 503);
    // First requests of clients are not limited by the budget.
    assert_eq!(status(client_retry("0")).await, 200);
    assert_eq!(status(request(ScriptedBody::new())).await, 200);
    // After the window the budget is full again.
    sleep(SECOND * 11).await;
    assert_eq!(status(client_retry("1")).await, 200);
}

#[tokio::test(start_paused = true)]
async fn retry_of_a_client_without_a_budget_is_not_limited() {
    let service = RetryThrottledLayer::new().layer(backends([Ok(503), Ok(200)]));
    let response = service.oneshot(client_retry("2")).await.unwrap();
    assert_eq!(response.status(), 200);
}

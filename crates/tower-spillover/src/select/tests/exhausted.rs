//! Requests that find every backend throttled.

use http::request::Parts;

use super::*;

/// Creates a pool of two backends that are throttled for 9 s and for 1.5 s.
fn throttled() -> Pool {
    let pool = pool([("a", 1), ("b", 2)]);
    throttle(&pool, 0, 9 * SECOND);
    throttle(&pool, 1, SECOND * 3 / 2);
    pool
}

fn reopens_in<B>(response: &Response<B>) -> Option<Duration> {
    response.extensions().get().map(Exhausted::reopens_in)
}

#[tokio::test(start_paused = true)]
async fn request_is_forwarded_to_the_first_backend_by_default() {
    let inner = labels();
    let handle = inner.handle();
    let service = PrioritySelectLayer::new(throttled()).layer(inner);
    let attempts = Attempts::new();
    let response = service.oneshot(request(&attempts)).await.unwrap();
    assert_eq!(response.body(), "a");
    assert_eq!(selected(response.extensions()).index(), 0);
    assert_eq!(reopens_in(&response), None);
    assert!(response.headers().is_empty());
    assert_eq!((attempts.count(), handle.calls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn rejection_states_when_the_pool_opens() {
    let inner = labels();
    let handle = inner.handle();
    let layer = PrioritySelectLayer::new(throttled()).when_exhausted(WhenExhausted::Reject);
    let attempts = Attempts::new();
    let response = layer
        .layer(inner)
        .oneshot(request(&attempts))
        .await
        .unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(response.headers()["retry-after-ms"], "1500");
    assert_eq!(response.body(), "");
    assert_eq!(reopens_in(&response), Some(SECOND * 3 / 2));
    assert!(response.extensions().get::<Selected>().is_none());
    assert!(attempts.is_exhausted());
    assert_eq!((attempts.count(), handle.calls()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn request_that_was_tried_before_is_not_forwarded() {
    for when_exhausted in [WhenExhausted::Forward, WhenExhausted::Reject] {
        let inner = labels();
        let handle = inner.handle();
        let pool = throttled();
        let layer = PrioritySelectLayer::new(pool).when_exhausted(when_exhausted);
        let attempts = Attempts::new();
        attempts.mark(0);
        let response = layer
            .layer(inner)
            .oneshot(request(&attempts))
            .await
            .unwrap();
        assert_eq!(response.headers()["retry-after-ms"], "1500");
        assert!(attempts.is_exhausted());
        assert_eq!((handle.calls(), response.status().as_u16()), (0, 429));
    }
}

/// A body without `Default`, such as `Incoming` of hyper.
#[derive(Debug, PartialEq)]
struct Page(String);

#[tokio::test(start_paused = true)]
async fn exhausted_response_can_be_replaced() {
    let respond = |exhausted: &Exhausted, request: &Parts| {
        let page = format!(
            "{} {}: {:?}",
            request.method,
            request.uri,
            exhausted.reopens_in()
        );
        let response = Response::builder()
            .status(503)
            .header("retry-after", "never");
        response.body(Page(page)).unwrap()
    };
    let inner: Probe<(), Page, Infallible> = Probe::new(|_| std::future::pending());
    let layer = PrioritySelectLayer::new(throttled())
        .when_exhausted(WhenExhausted::Reject)
        .with_exhausted_response(respond);
    let response = layer
        .layer(inner)
        .oneshot(request(&Attempts::new()))
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(*response.body(), Page("GET /v1/models: 1.5s".into()));
    // The layer sets `retry-after`.
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(reopens_in(&response), Some(SECOND * 3 / 2));
}

#[tokio::test(start_paused = true)]
async fn inner_service_stays_ready_after_a_rejection() {
    let inner = labels();
    let handle = inner.handle();
    let pool = throttled();
    let layer = PrioritySelectLayer::new(pool).when_exhausted(WhenExhausted::Reject);
    let mut service = layer.layer(inner);
    service.ready().await.unwrap();
    let response = service.call(request(&Attempts::new())).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(handle.reserved(), 1);

    tokio::time::advance(SECOND * 3 / 2).await;
    assert_eq!(
        service
            .call(request(&Attempts::new()))
            .await
            .unwrap()
            .into_body(),
        "b"
    );
    assert_eq!((handle.reserved(), handle.violations()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn last_grpc_refusal_has_the_wait_of_the_pool_as_pushback() {
    let pool = pool([("a", 1)]);
    let inner = Probe::new(|_: Request<()>| {
        let response = Response::builder().header("grpc-status", "8");
        std::future::ready(Ok::<_, &'static str>(response.body(String::new()).unwrap()))
    });
    let refuse = {
        let pool = pool.clone();
        move |mut response: Response<String>| {
            throttle(&pool, 0, SECOND * 3 / 2);
            let outcome = Outcome::throttled(SECOND * 3 / 2);
            response.extensions_mut().insert(outcome);
            response
        }
    };
    let service = PrioritySelectLayer::new(pool).layer(inner.map_response(refuse));
    let response = service.oneshot(request(&Attempts::new())).await.unwrap();
    assert_eq!(response.headers()["grpc-retry-pushback-ms"], "1500");
    assert!(!response.headers().contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn rejection_of_a_grpc_call_has_grpc_status_and_pushback() {
    let layer = PrioritySelectLayer::new(throttled()).when_exhausted(WhenExhausted::Reject);
    let mut request = request(&Attempts::new());
    let kind = "application/grpc+proto".parse().unwrap();
    request.headers_mut().insert("content-type", kind);
    let response = layer.layer(labels()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc+proto");
    assert_eq!(response.headers()["grpc-status"], "8");
    assert_eq!(response.headers()["grpc-retry-pushback-ms"], "1500");
}

//! The refusal that is returned when every backend refused.

use std::time::Duration;

use http::Request;
use spillover_core::{
    Attempts, Backend, Exhausted, Outcome, Pool, Query, Selected, layer::AttemptsProtocol,
};
use spillover_testing::Probe;
use tokio::time::{Instant, advance};
use tower::ServiceExt;
use tower_layer::Layer;

use super::{inner::*, *};

#[tokio::test(start_paused = true)]
async fn most_helpful_refusal_is_returned() {
    let cases = [
        // Throttling ends by itself, so that it is preferred. The later of two such refusals is returned.
        ([Ok(429), Ok(429), Ok(500)], (429, 1)),
        ([Ok(429), Ok(503), Ok(500)], (429, 0)),
        ([Ok(503), Ok(500), Ok(429)], (429, 2)),
        ([Ok(500), Ok(529), Ok(413)], (529, 1)),
        // An error without a response ranks like a failure.
        ([Ok(429), Ok(500), Err("reset")], (429, 0)),
        ([Ok(413), Ok(500), Ok(402)], (500, 1)),
        ([Ok(402), Ok(413), Ok(402)], (413, 1)),
    ];
    for (answers, expected) in cases {
        let service = RetryThrottledLayer::new().layer(backends(answers));
        assert_eq!(send(service).await, Ok(expected), "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn last_of_equally_helpful_refusals_is_returned() {
    let service = RetryThrottledLayer::new().layer(backends([Ok(500), Ok(502), Ok(500)]));
    assert_eq!(send(service).await, Ok((500, 2)));
    let service = RetryThrottledLayer::new().layer(backends([Ok(500), Err("reset")]));
    assert_eq!(send(service).await, Err("reset"));
}

#[tokio::test(start_paused = true)]
async fn success_or_client_error_is_returned_instead_of_an_earlier_refusal() {
    for status in [200, 400, 404] {
        let service = RetryThrottledLayer::new().layer(backends([Ok(429), Ok(status)]));
        assert_eq!(send(service).await, Ok((status, 1)));
    }
}

#[tokio::test(start_paused = true)]
async fn most_helpful_refusal_is_returned_after_max_attempts() {
    let inner = backends([Ok(429), Ok(401), Ok(200)]);
    let service = RetryThrottledLayer::new().max_attempts(2).layer(inner);
    // Without a `Selected`, a 401 concerns the credential of the client.
    assert_eq!(send(service).await, Ok((401, 1)));
    let inner = backends([Ok(429), Ok(500), Ok(200)]);
    let service = RetryThrottledLayer::new().max_attempts(2).layer(inner);
    assert_eq!(send(service).await, Ok((429, 0)));
}

#[tokio::test(start_paused = true)]
async fn saved_refusal_is_returned_with_the_current_wait_of_the_pool() {
    let backend = |label: &str| Backend::builder(label).url("http://upstream.example");
    let pool = Pool::new([backend("a").build().unwrap(), backend("b").build().unwrap()]).unwrap();
    let inner: Inner = Probe::new(move |request: Request<ReplayBody<_>>| {
        let pool = pool.clone();
        async move {
            let attempt = mark_next(&request);
            let other_attempts = Attempts::new();
            other_attempts.mark(1 - attempt);
            let now = Instant::now();
            let selected = pool
                .select(&Query::new().attempts(&other_attempts), now, 0)
                .unwrap();
            if attempt == 0 {
                let outcome = Outcome::throttled(Duration::from_secs(30));
                selected.record(&outcome, now);
                let mut response = response(429, 0);
                let fields = response.headers_mut();
                fields.insert("retry-after", "3600".parse().unwrap());
                response.extensions_mut().insert(selected);
                response.extensions_mut().insert(outcome);
                return Ok(response);
            }
            advance(Duration::from_secs(20)).await;
            let outcome = Outcome::failing(Duration::from_secs(50));
            selected.record(&outcome, Instant::now());
            attempts(request.extensions()).set_exhausted(true);
            Err("reset")
        }
    });
    let service = RetryThrottledLayer::new().layer(inner);
    let response = service.oneshot(request(ScriptedBody::new())).await.unwrap();
    assert_eq!(response.headers()["retry-after"], "10");
    let exhausted = response.extensions().get::<Exhausted>().unwrap();
    assert_eq!(exhausted.reopens_in(), Duration::from_secs(10));
    assert_eq!(response.extensions().get::<Selected>().unwrap().index(), 0);
    assert_eq!(attempts(response.extensions()).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn refusal_that_forbids_a_retry_is_returned() {
    let inner: Inner = Probe::new(move |request: Request<ReplayBody<_>>| async move {
        let attempt = mark_next(&request);
        let mut response = response(200, attempt);
        let outcome = Outcome::throttled(Duration::from_secs(1));
        let outcome = match attempt {
            0 => outcome,
            _ => Outcome::failing(Duration::from_secs(1)).without_retry(),
        };
        response.extensions_mut().insert(outcome);
        Ok(response)
    });
    let service = RetryThrottledLayer::new().layer(inner);
    assert_eq!(send(service).await, Ok((200, 1)));
}

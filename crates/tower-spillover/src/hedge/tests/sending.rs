//! The conditions for a second attempt.

use std::sync::{Arc, Mutex};

use spillover_core::layer::AttemptsProtocol;

use super::*;

/// Creates a service that never answers.
fn stalling() -> Inner {
    Probe::new(|_| std::future::pending())
}

/// Returns the number of attempts for this request at a service that never answers.
async fn attempts_for(layer: &HedgeLayer, request: Request<Body>) -> usize {
    let inner = stalling();
    let handle = inner.handle();
    let mut sent = task::spawn(layer.layer(inner).oneshot(request));
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());
    handle.calls()
}

fn request_with(attempts: &Attempts) -> Request<Body> {
    let mut request = request();
    request.extensions_mut().insert(attempts.clone());
    request
}

#[tokio::test(start_paused = true)]
async fn hedge_is_sent_after_the_delay() {
    let inner = stalling();
    let handle = inner.handle();
    let mut sent = task::spawn(HedgeLayer::new(DELAY).layer(inner).oneshot(request()));
    assert_pending!(sent.poll());
    advance(DELAY - Duration::from_millis(1)).await;
    assert_pending!(sent.poll());
    assert!(!sent.is_woken());
    assert_eq!(handle.calls(), 1);
    advance(Duration::from_millis(1)).await;
    assert!(sent.is_woken());
    assert_pending!(sent.poll());
    assert_eq!(handle.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn hedge_is_a_copy_of_the_original_request() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let inner: Inner = {
        let seen = Arc::clone(&seen);
        Probe::new(move |mut request: Request<Body>| {
            assert_eq!(request.uri(), "/v1/chat/completions?x=1");
            assert!(request.extensions().get::<usize>().is_none());
            // An inner layer changes the first attempt. The hedge does not have these changes.
            *request.uri_mut() = "https://backend.example/other".parse().unwrap();
            request.extensions_mut().insert(1_usize);
            seen.lock().unwrap().push(request);
            std::future::pending()
        })
    };
    let mut request = request();
    *request.uri_mut() = "/v1/chat/completions?x=1".parse().unwrap();
    let mut sent = task::spawn(HedgeLayer::new(DELAY).layer(inner).oneshot(request));
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());

    let seen = seen.lock().unwrap();
    let [first, second] = &seen[..] else {
        panic!("two attempts");
    };
    // Both attempts share `Attempts`, so that the hedge is sent to another backend.
    let attempts =
        |request: &Request<Body>| request.extensions().get::<Attempts>().cloned().unwrap();
    attempts(first).mark(3);
    assert!(attempts(second).contains(3));
}

#[tokio::test(start_paused = true)]
async fn attempts_of_an_outer_layer_are_used() {
    let attempts = Attempts::new();
    let inner: Inner = Probe::new(|request: Request<Body>| {
        request.extensions().get::<Attempts>().unwrap().mark(3);
        async { Ok(response(200, 0)) }
    });
    let service = HedgeLayer::new(DELAY).layer(inner);
    service.oneshot(request_with(&attempts)).await.unwrap();
    assert!(attempts.contains(3));
}

#[tokio::test(start_paused = true)]
async fn request_whose_body_is_still_being_sent_is_not_hedged() {
    let layer = HedgeLayer::new(DELAY);
    let attempts = Attempts::new();
    assert_eq!(attempts_for(&layer, request_with(&attempts)).await, 2);
    attempts.set_body_held(true);
    assert_eq!(attempts_for(&layer, request_with(&attempts)).await, 1);
    attempts.set_body_held(false);
    assert_eq!(attempts_for(&layer, request_with(&attempts)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn request_without_another_backend_is_not_hedged() {
    let attempts = Attempts::new();
    attempts.set_exhausted(true);
    assert_eq!(
        attempts_for(&HedgeLayer::new(DELAY), request_with(&attempts)).await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn hedge_that_cannot_be_sent_after_the_delay_is_dropped() {
    let attempts = Attempts::new();
    attempts.set_body_held(true);
    let inner = stalling();
    let handle = inner.handle();
    let mut sent = task::spawn(
        HedgeLayer::new(DELAY)
            .layer(inner)
            .oneshot(request_with(&attempts)),
    );
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());
    // The service and the request for the hedge are dropped.
    assert_eq!(handle.instances(), 0);
    attempts.set_body_held(false);
    advance(10 * DELAY).await;
    assert!(!sent.is_woken());
    assert_pending!(sent.poll());
    assert_eq!(handle.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn number_of_hedges_is_limited_by_the_budget() {
    let none = HedgeLayer::new(DELAY).budget(TpsBudget::new(SECOND, 0, 0.0));
    assert_eq!(attempts_for(&none, request()).await, 1);

    // Every second request deposits the cost of one hedge. The clones of a layer share one budget.
    let half = HedgeLayer::new(DELAY).budget(TpsBudget::new(SECOND * 60, 0, 0.5));
    for attempts in [1, 2, 1, 2] {
        assert_eq!(attempts_for(&half.clone(), request()).await, attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn default_budget_is_one_hedge_per_second_and_a_tenth_of_the_requests() {
    let layer = HedgeLayer::new(Duration::ZERO);
    let mut hedges = 0;
    for _ in 0..100 {
        let inner = stalling();
        let handle = inner.handle();
        let mut sent = task::spawn(layer.layer(inner).oneshot(request()));
        assert_pending!(sent.poll());
        hedges += handle.calls() - 1;
    }
    // The reserve of ten seconds pays for ten hedges, and a hundred requests pay for ten more.
    assert_eq!(hedges, 20);
    advance(SECOND * 11).await;
    assert_eq!(attempts_for(&layer, request()).await, 2);
}

#[tokio::test(start_paused = true)]
async fn requests_answered_before_the_delay_deposit_into_the_budget() {
    let layer = HedgeLayer::new(DELAY).budget(TpsBudget::new(SECOND * 60, 0, 0.25));
    let quick = layer.layer(replies([(0, Ok(200)), (1, Ok(200)), (1, Ok(200))]));
    for _ in 0..3 {
        quick.clone().oneshot(request()).await.unwrap();
    }
    assert_eq!(attempts_for(&layer, request()).await, 2);
    assert_eq!(attempts_for(&layer, request()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn request_is_hedged_only_if_the_filter_accepts_it() {
    fn is_get<B>(request: &Request<B>) -> bool {
        request.method() == http::Method::GET
    }
    for (method, attempts) in [("GET", 2), ("POST", 1)] {
        let inner = stalling();
        let handle = inner.handle();
        let layer = HedgeLayer::new(DELAY).with_filter(is_get);
        let mut request = request();
        *request.method_mut() = method.parse().unwrap();
        let mut sent = task::spawn(layer.layer(inner).oneshot(request));
        assert_pending!(sent.poll());
        // The service is not cloned for a request without a hedge.
        assert_eq!(handle.instances(), attempts - 1);
        advance(DELAY).await;
        assert_pending!(sent.poll());
        assert_eq!(handle.calls(), attempts);
    }
}

//! When a second attempt is made, and for which requests.

use std::sync::{Arc, Mutex};

use spillover_core::layer::AttemptsProtocol;

use super::*;

/// A request that never gets an answer.
fn stalling() -> Inner {
    Probe::new(|_| std::future::pending())
}

/// How many attempts are made for this request, whose first gets no answer.
async fn attempts_for(layer: &HedgeLayer, request: Request<Body>) -> usize {
    let inner = stalling();
    let handle = inner.handle();
    let mut sent = task::spawn(layer.layer(inner).oneshot(request));
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());
    handle.calls()
}

fn with(attempts: &Attempts) -> Request<Body> {
    let mut request = request();
    request.extensions_mut().insert(attempts.clone());
    request
}

#[tokio::test(start_paused = true)]
async fn second_request_is_sent_when_the_delay_is_over() {
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
async fn both_attempts_are_the_same_request() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let inner: Inner = {
        let seen = Arc::clone(&seen);
        Probe::new(move |mut request: Request<Body>| {
            assert_eq!(request.uri(), "/v1/chat/completions?x=1");
            assert!(request.extensions().get::<usize>().is_none());
            // Changes of the first attempt by a layer below do not reach the second one.
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
    // The chooser of the second attempt knows the backend of the first one.
    let attempts =
        |request: &Request<Body>| request.extensions().get::<Attempts>().cloned().unwrap();
    attempts(first).mark(3);
    assert!(attempts(second).contains(3));
}

#[tokio::test(start_paused = true)]
async fn tried_of_a_layer_above_stays() {
    let attempts = Attempts::new();
    let inner: Inner = Probe::new(|request: Request<Body>| {
        request.extensions().get::<Attempts>().unwrap().mark(3);
        async { Ok(response(200, 0)) }
    });
    let service = HedgeLayer::new(DELAY).layer(inner);
    service.oneshot(with(&attempts)).await.unwrap();
    assert!(attempts.contains(3));
}

#[tokio::test(start_paused = true)]
async fn body_that_is_still_being_sent_is_not_taken_away() {
    let layer = HedgeLayer::new(DELAY);
    let attempts = Attempts::new();
    assert_eq!(attempts_for(&layer, with(&attempts)).await, 2);
    attempts.set_body_held(true);
    assert_eq!(attempts_for(&layer, with(&attempts)).await, 1);
    attempts.set_body_held(false);
    assert_eq!(attempts_for(&layer, with(&attempts)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn request_that_no_backend_would_take_is_not_hedged() {
    let attempts = Attempts::new();
    attempts.set_exhausted(true);
    assert_eq!(
        attempts_for(&HedgeLayer::new(DELAY), with(&attempts)).await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn second_request_that_cannot_be_sent_is_given_up() {
    let attempts = Attempts::new();
    attempts.set_body_held(true);
    let inner = stalling();
    let handle = inner.handle();
    let mut sent = task::spawn(HedgeLayer::new(DELAY).layer(inner).oneshot(with(&attempts)));
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());
    // Nothing of the second attempt is kept.
    assert_eq!(handle.instances(), 0);
    attempts.set_body_held(false);
    advance(10 * DELAY).await;
    assert!(!sent.is_woken());
    assert_pending!(sent.poll());
    assert_eq!(handle.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn hedges_end_with_the_budget() {
    let none = HedgeLayer::new(DELAY).budget(TpsBudget::new(SECOND, 0, 0.0));
    assert_eq!(attempts_for(&none, request()).await, 1);

    // Every second request brings in what a hedge takes. The clones of a layer have one budget.
    let half = HedgeLayer::new(DELAY).budget(TpsBudget::new(SECOND * 60, 0, 0.5));
    for attempts in [1, 2, 1, 2] {
        assert_eq!(attempts_for(&half.clone(), request()).await, attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn default_budget_is_a_tenth_and_one_a_second() {
    let layer = HedgeLayer::new(Duration::ZERO);
    let mut hedges = 0;
    for _ in 0..100 {
        let inner = stalling();
        let handle = inner.handle();
        let mut sent = task::spawn(layer.layer(inner).oneshot(request()));
        assert_pending!(sent.poll());
        hedges += handle.calls() - 1;
    }
    // Ten at once for ten seconds, and ten for a hundred requests.
    assert_eq!(hedges, 20);
    advance(SECOND * 11).await;
    assert_eq!(attempts_for(&layer, request()).await, 2);
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_answered_soon_bring_in_what_slow_ones_take() {
    let layer = HedgeLayer::new(DELAY).budget(TpsBudget::new(SECOND * 60, 0, 0.25));
    let quick = layer.layer(replies([(0, Ok(200)), (1, Ok(200)), (1, Ok(200))]));
    for _ in 0..3 {
        quick.clone().oneshot(request()).await.unwrap();
    }
    assert_eq!(attempts_for(&layer, request()).await, 2);
    assert_eq!(attempts_for(&layer, request()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn only_what_the_filter_allows_is_hedged() {
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
        // Nothing is kept for an attempt that will not be.
        assert_eq!(handle.instances(), attempts - 1);
        advance(DELAY).await;
        assert_pending!(sent.poll());
        assert_eq!(handle.calls(), attempts);
    }
}

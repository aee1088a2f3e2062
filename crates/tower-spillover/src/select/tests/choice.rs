//! The choice of a backend.

use std::sync::{Arc, Mutex};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;

#[tokio::test(start_paused = true)]
async fn best_open_tier_is_selected() {
    let pool = pool([("c", 3), ("a", 1), ("b", 2)]);
    let service = PrioritySelectLayer::new(pool.clone()).layer(labels());
    let send = async || send(service.clone(), &Attempts::new()).await;

    assert_eq!(send().await, "a");
    throttle(&pool, 1, 5 * SECOND);
    assert_eq!(send().await, "b");
    throttle(&pool, 2, 2 * SECOND);
    assert_eq!(send().await, "c");

    tokio::time::advance(2 * SECOND).await;
    assert_eq!(send().await, "b");
    tokio::time::advance(3 * SECOND).await;
    assert_eq!(send().await, "a");
}

#[tokio::test(start_paused = true)]
async fn selected_backend_is_in_the_extensions_of_request_and_response() {
    let pool = pool([("a", 1)]);
    let service = PrioritySelectLayer::new(pool.clone()).layer(labels());
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.body(), "a");
    let selected = selected(response.extensions());
    assert_eq!((selected.index(), selected.backend().label()), (0, "a"));
    assert!(selected.pool().is_same(&pool));
}

#[tokio::test(start_paused = true)]
async fn tried_backends_are_excluded_and_the_selected_one_is_marked() {
    let pool = pool([("a", 1), ("b", 1), ("c", 2)]);
    let service = PrioritySelectLayer::new(pool)
        .with_draw(|| 0)
        .layer(labels());
    let attempts = Attempts::new();
    for (count, label) in [(1, "a"), (2, "b"), (3, "c")] {
        assert_eq!(send(service.clone(), &attempts).await, label);
        assert_eq!(attempts.count(), count);
        assert!(attempts.contains(count as usize - 1));
    }
}

#[tokio::test(start_paused = true)]
async fn request_without_attempts_excludes_no_backend() {
    let service = PrioritySelectLayer::new(pool([("a", 1), ("b", 2)])).layer(labels());
    for _ in 0..3 {
        let response = service.clone().oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.into_body(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn failing_backend_is_a_last_resort_but_throttled_backend_is_not() {
    let pool = pool([("a", 1), ("b", 2)]);
    throttle(&pool, 0, SECOND);
    record(&pool, 1, Outcome::failing(10 * SECOND));
    let layer = PrioritySelectLayer::new(pool).when_exhausted(WhenExhausted::Reject);
    assert_eq!(send(layer.layer(labels()), &Attempts::new()).await, "b");
}

#[tokio::test(start_paused = true)]
async fn one_request_probes_a_backend_that_failed() {
    let pool = pool([("a", 1), ("b", 2)]);
    record(&pool, 0, Outcome::failing(SECOND));
    tokio::time::advance(SECOND).await;
    let service = PrioritySelectLayer::new(pool).layer(labels());

    let response = service.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.body(), "a");
    assert!(selected(response.extensions()).is_probe());
    assert_eq!(send(service, &Attempts::new()).await, "b");
}

#[tokio::test(start_paused = true)]
async fn draw_decides_within_a_tier() {
    let pool = pool([("a", 1), ("b", 1), ("c", 1), ("d", 2)]);
    for (draw, label) in [(0, "a"), (u64::MAX / 2, "b"), (u64::MAX, "c")] {
        let layer = PrioritySelectLayer::new(pool.clone()).with_draw(move || draw);
        assert_eq!(send(layer.layer(labels()), &Attempts::new()).await, label);
    }
}

/// Sends each request through its own clone of the service. Returns the number that reach the first of two backends.
async fn drawn<D: Draw + Clone>(draw: D, requests: u32) -> u32 {
    let layer = PrioritySelectLayer::new(pool([("a", 1), ("b", 1)])).with_draw(draw);
    let service = layer.layer(labels());
    let mut first = 0;
    for _ in 0..requests {
        first += u32::from(send(service.clone(), &Attempts::new()).await == "a");
    }
    first
}

#[tokio::test(start_paused = true)]
async fn clones_of_the_service_draw_independently() {
    // 200 of 400 fair draws are expected and the standard deviation is 10.
    let rng = Arc::new(Mutex::new(SmallRng::seed_from_u64(7)));
    let seeded = move || rng.lock().unwrap().random();
    assert!((150..=250).contains(&drawn(seeded, 400).await));

    let by_thread = drawn(ThreadDraw::default(), 400).await;
    assert!((130..=270).contains(&by_thread), "{by_thread} of 400");
}

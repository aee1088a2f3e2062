//! `WhenExhausted::Wait`, on paused time.

use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::util::Oneshot;

use super::*;

type Inner = Probe<(), String, Infallible>;

fn waiting(pool: &Pool, bound: Duration) -> PrioritySelect<Inner> {
    PrioritySelectLayer::new(pool.clone())
        .when_exhausted(WhenExhausted::Wait(bound))
        .layer(labels())
}

fn throttled_for(wait: Duration) -> Pool {
    let pool = pool([("a", 1), ("b", 2)]);
    throttle(&pool, 0, wait);
    throttle(&pool, 1, 2 * wait);
    pool
}

fn sent(
    service: PrioritySelect<Inner>,
) -> task::Spawn<Oneshot<PrioritySelect<Inner>, Request<()>>> {
    task::spawn(service.oneshot(request(&Attempts::new())))
}

/// Records another refusal of the first backend, which extends its cooldown.
fn extend(pool: &Pool, wait: Duration) {
    let now = Instant::now();
    pool.first(&Query::new(), now)
        .expect("none is full")
        .record(&Outcome::throttled(wait), now);
}

#[tokio::test(start_paused = true)]
async fn request_is_served_when_the_first_backend_opens() {
    let pool = throttled_for(2 * SECOND);
    let mut sent = sent(waiting(&pool, 10 * SECOND));
    assert_pending!(sent.poll());
    advance(2 * SECOND - Duration::from_millis(1)).await;
    assert_pending!(sent.poll());
    advance(Duration::from_millis(1)).await;
    assert!(sent.is_woken());
    assert_eq!(assert_ready_ok!(sent.poll()).into_body(), "a");
}

#[tokio::test(start_paused = true)]
async fn request_is_rejected_at_once_if_the_opening_is_after_its_limit() {
    let pool = throttled_for(2 * SECOND);
    for bound in [Duration::ZERO, SECOND, 2 * SECOND - Duration::from_nanos(1)] {
        let response = assert_ready_ok!(sent(waiting(&pool, bound)).poll());
        assert_eq!(response.headers()["retry-after-ms"], "2000");
    }
    for bound in [2 * SECOND, Duration::MAX] {
        assert_pending!(sent(waiting(&pool, bound)).poll());
    }
}

#[tokio::test(start_paused = true)]
async fn request_waits_on_if_the_opening_is_postponed_within_its_limit() {
    let pool = throttled_for(2 * SECOND);
    let mut sent = sent(waiting(&pool, 3 * SECOND));
    assert_pending!(sent.poll());
    extend(&pool, 3 * SECOND);
    advance(2 * SECOND).await;
    assert!(sent.is_woken());
    assert_pending!(sent.poll());

    advance(SECOND).await;
    assert!(sent.is_woken());
    assert_eq!(assert_ready_ok!(sent.poll()).into_body(), "a");
}

#[tokio::test(start_paused = true)]
async fn request_is_rejected_if_the_opening_is_postponed_beyond_its_limit() {
    let pool = throttled_for(2 * SECOND);
    let service = waiting(&pool, 3 * SECOND);
    let handle = service.get_ref().handle();
    let mut sent = sent(service);
    assert_pending!(sent.poll());
    extend(&pool, 5 * SECOND);
    advance(2 * SECOND).await;
    let response = assert_ready_ok!(sent.poll());
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after-ms"], "2000");
    assert_eq!(
        response
            .extensions()
            .get::<Exhausted>()
            .unwrap()
            .reopens_in(),
        2 * SECOND
    );
    assert_eq!(handle.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn all_waiting_requests_are_served_at_the_opening() {
    let pool = throttled_for(2 * SECOND);
    let service = waiting(&pool, 2 * SECOND);
    let start = Instant::now();
    let requests: Vec<_> = (0..100)
        .map(|_| tokio::spawn(sent(service.clone()).into_inner()))
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().into_body(), "a");
    }
    assert_eq!(Instant::now() - start, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn dropped_waiting_request_makes_no_attempt() {
    let pool = throttled_for(2 * SECOND);
    let mut service = waiting(&pool, 10 * SECOND);
    let handle = service.get_ref().handle();
    service.ready().await.unwrap();
    let attempts = Attempts::new();
    let mut sent = task::spawn(service.call(request(&attempts)));
    assert_pending!(sent.poll());
    // The ready instance moved into the future of the request.
    assert!(!service.get_ref().is_ready());
    assert_eq!((handle.reserved(), handle.instances()), (1, 2));

    drop(sent);
    assert_eq!((handle.reserved(), handle.instances()), (0, 1));
    assert_eq!((handle.calls(), attempts.count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn waiting_request_is_marked_as_exhausted() {
    let attempts = Attempts::new();
    let service = waiting(&throttled_for(2 * SECOND), 10 * SECOND);
    let mut sent = task::spawn(service.oneshot(request(&attempts)));
    assert_pending!(sent.poll());
    assert!(attempts.is_exhausted());
}

#[tokio::test(start_paused = true)]
async fn later_attempt_of_a_request_waits_for_another_backend() {
    let pool = throttled_for(2 * SECOND);
    let service = waiting(&pool, 10 * SECOND);
    let attempts = Attempts::new();
    let mut first = task::spawn(service.clone().oneshot(request(&attempts)));
    let mut second = task::spawn(service.oneshot(request(&attempts)));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    advance(2 * SECOND).await;
    assert_eq!(assert_ready_ok!(first.poll()).into_body(), "a");
    advance(2 * SECOND).await;
    assert_eq!(assert_ready_ok!(second.poll()).into_body(), "b");
}

#[tokio::test(start_paused = true)]
async fn retried_request_waits_for_a_backend_that_was_not_tried() {
    let pool = throttled_for(2 * SECOND);
    let attempts = Attempts::new();
    attempts.mark(0);
    let mut sent = task::spawn(waiting(&pool, 10 * SECOND).oneshot(request(&attempts)));
    assert_pending!(sent.poll());
    advance(4 * SECOND).await;
    assert_eq!(assert_ready_ok!(sent.poll()).into_body(), "b");
}

#[tokio::test(start_paused = true)]
async fn request_that_failed_at_all_backends_is_rejected_at_once() {
    let pool = throttled_for(2 * SECOND);
    let attempts = Attempts::new();
    (0..2).for_each(|index| attempts.mark(index));
    let mut sent = task::spawn(waiting(&pool, 10 * SECOND).oneshot(request(&attempts)));
    assert_eq!(assert_ready_ok!(sent.poll()).status(), 429);
    assert!(attempts.is_exhausted());
}

/// Creates a service that refuses every request, and throttles the backend for `wait` as the tracker does.
fn refusing(pool: &Pool, bound: Duration, wait: Duration) -> PrioritySelect<Inner> {
    let refuse = Probe::new(move |request: Request<()>| async move {
        let selected = selected(request.extensions());
        let outcome = Outcome::throttled(wait);
        selected.record(&outcome, Instant::now());
        let mut response = Response::new(String::new());
        *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
        response.extensions_mut().insert(outcome);
        Ok(response)
    });
    PrioritySelectLayer::new(pool.clone())
        .when_exhausted(WhenExhausted::Wait(bound))
        .layer(refuse)
}

#[tokio::test(start_paused = true)]
async fn refused_request_waits_again_within_its_limit() {
    let pool = pool([("a", 1)]);
    throttle(&pool, 0, SECOND);
    let service = refusing(&pool, 5 * SECOND / 2, SECOND);
    let attempts = Attempts::new();
    let start = Instant::now();
    let mut refused_at = Vec::new();
    loop {
        let response = service.clone().oneshot(request(&attempts)).await.unwrap();
        assert_eq!(response.status(), 429);
        refused_at.push((Instant::now() - start).as_millis());
        let is_last = response.extensions().get::<Exhausted>().is_some();
        assert_eq!(attempts.is_exhausted(), is_last);
        if is_last {
            break;
        }
    }
    // The opening after the second refusal is beyond the limit.
    assert_eq!(refused_at, [1000, 2000]);
}

#[tokio::test(start_paused = true)]
async fn refused_request_keeps_its_position_in_the_queue() {
    let pool = pool([("a", 1)]);
    throttle(&pool, 0, SECOND);
    let attempts = Attempts::new();
    let first = refusing(&pool, 9 * SECOND, SECOND).oneshot(request(&attempts));
    let mut first = task::spawn(first);
    let mut second = sent(waiting(&pool, 9 * SECOND));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    advance(SECOND).await;
    assert_eq!(assert_ready_ok!(first.poll()).status(), 429);
    let mut again = task::spawn(waiting(&pool, 9 * SECOND).oneshot(request(&attempts)));
    assert_pending!(again.poll());
    assert_pending!(second.poll());

    advance(SECOND).await;
    assert_pending!(second.poll());
    assert!(again.is_woken());
    assert_eq!(assert_ready_ok!(again.poll()).into_body(), "a");
    assert!(second.is_woken());
}

#[tokio::test(start_paused = true)]
async fn later_request_waits_behind_requests_of_its_scope_only() {
    let pool = throttled_for(2 * SECOND);
    let service = waiting(&pool, 10 * SECOND);
    let mut first = sent(service.clone());
    assert_pending!(first.poll());
    advance(2 * SECOND).await;
    // A backend is open, and the first request was not polled yet.
    let mut second = sent(service.clone());
    assert_pending!(second.poll());
    let mut other = request(&Attempts::new());
    other.extensions_mut().insert(Scope::named("other"));
    let mut other = task::spawn(service.oneshot(other));
    assert_eq!(assert_ready_ok!(other.poll()).into_body(), "a");

    assert_eq!(assert_ready_ok!(first.poll()).into_body(), "a");
    assert!(second.is_woken());
    assert_pending!(second.poll());
    advance(Duration::from_millis(50)).await;
    assert_eq!(assert_ready_ok!(second.poll()).into_body(), "a");
}

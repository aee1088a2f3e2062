//! `WhenExhausted::Wait` on the paused clock.

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
    task::spawn(service.oneshot(request(&Tried::new())))
}

/// The first backend refuses another request, which extends its cooldown.
fn extend(pool: &Pool, wait: Duration) {
    let now = Instant::now();
    pool.first(&Query::new(), now)
        .expect("none is full")
        .record(&Outcome::throttled(wait), now);
}

#[tokio::test(start_paused = true)]
async fn it_is_served_the_instant_the_first_backend_opens() {
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
async fn it_is_rejected_at_once_when_that_is_too_far_away() {
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
async fn it_goes_on_waiting_when_the_instant_moves_within_the_bound() {
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
async fn it_is_rejected_as_soon_as_the_instant_is_beyond_the_bound() {
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
async fn all_that_wait_are_served() {
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
async fn a_request_that_waits_leaves_no_attempt_when_it_is_dropped() {
    let pool = throttled_for(2 * SECOND);
    let mut service = waiting(&pool, 10 * SECOND);
    let handle = service.get_ref().handle();
    service.ready().await.unwrap();
    let tried = Tried::new();
    let mut sent = task::spawn(service.call(request(&tried)));
    assert_pending!(sent.poll());
    // The service that is ready waits with the request.
    assert!(!service.get_ref().is_ready());
    assert_eq!((handle.reserved(), handle.instances()), (1, 2));

    drop(sent);
    assert_eq!((handle.reserved(), handle.instances()), (0, 1));
    assert_eq!((handle.calls(), tried.attempts()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_outside_can_tell_that_none_would_take_it_now() {
    let tried = Tried::new();
    let service = waiting(&throttled_for(2 * SECOND), 10 * SECOND);
    let mut sent = task::spawn(service.oneshot(request(&tried)));
    assert_pending!(sent.poll());
    assert!(tried.is_exhausted());
}

#[tokio::test(start_paused = true)]
async fn of_two_attempts_of_one_request_the_later_does_not_wait_for_the_earlier_ones_backend() {
    let pool = throttled_for(2 * SECOND);
    let service = waiting(&pool, 10 * SECOND);
    let tried = Tried::new();
    let mut first = task::spawn(service.clone().oneshot(request(&tried)));
    let mut second = task::spawn(service.oneshot(request(&tried)));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    advance(2 * SECOND).await;
    assert_eq!(assert_ready_ok!(first.poll()).into_body(), "a");
    let response = assert_ready_ok!(second.poll());
    assert!(response.extensions().get::<Exhausted>().is_some());
}

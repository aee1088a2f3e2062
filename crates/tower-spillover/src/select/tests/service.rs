//! Readiness, clones and cancellation.

use std::task::Poll;

use spillover_core::{Condition, Scope};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};

use super::*;

fn poll_ready<S: Service<Request<()>>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

#[tokio::test(start_paused = true)]
async fn readiness_is_that_of_the_inner_service() {
    let inner: Probe<(), (), &str> = Probe::new(|_| std::future::pending());
    let handle = inner.handle();
    let mut service = PrioritySelectLayer::new(pool([("a", 1)])).layer(inner);
    handle.set_pending();
    assert_pending!(poll_ready(&mut service));
    handle.fail_ready("shut down");
    assert_eq!(assert_ready_err!(poll_ready(&mut service)), "shut down");
    handle.set_ready();
    assert_ready_ok!(poll_ready(&mut service));
}

#[tokio::test(start_paused = true)]
async fn readiness_does_not_depend_on_the_pool() {
    let pool = pool([("a", 1)]);
    throttle(&pool, 0, SECOND);
    let mut service = PrioritySelectLayer::new(pool).layer(labels());
    assert_ready_ok!(poll_ready(&mut service));
}

#[tokio::test(start_paused = true)]
async fn clone_of_a_ready_service_is_not_ready() {
    let mut service = PrioritySelectLayer::new(pool([("a", 1)])).layer(labels());
    assert_ready_ok!(poll_ready(&mut service));
    let clone = service.clone();
    assert!(service.get_ref().is_ready() && !clone.get_ref().is_ready());
    service.call(Request::new(())).await.unwrap();
    assert_eq!(service.get_ref().handle().violations(), 0);
}

#[tokio::test(start_paused = true)]
async fn dropped_future_cancels_the_attempt_and_does_not_close_the_backend() {
    let pool = pool([("a", 1)]);
    let inner: Probe<(), (), Infallible> = Probe::new(|_| std::future::pending());
    let handle = inner.handle();
    let mut service = PrioritySelectLayer::new(pool.clone()).layer(inner);
    for polls in 0..2 {
        service.ready().await.unwrap();
        let mut sent = task::spawn(service.call(Request::new(())));
        (0..polls).for_each(|_| assert_pending!(sent.poll()));
        drop(sent);
        assert_eq!((handle.in_flight(), handle.cancelled()), (0, polls + 1));
        assert_eq!(
            pool.snapshot(Scope::BACKEND, Instant::now())[0].condition(),
            Condition::Open
        );
    }
}

#[test]
fn inner_service_is_accessible() {
    let mut service = PrioritySelectLayer::new(pool([("a", 1)])).layer("inner");
    assert_eq!(*service.get_ref(), "inner");
    *service.get_mut() = "other";
    assert_eq!(service.into_inner(), "other");
}

//! Readiness, clones and cancellation.

use std::task::Poll;

use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};

use super::*;

fn stalling() -> Inner {
    Probe::new(|_| std::future::pending())
}

fn poll_ready<S: Service<Request<()>>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

#[tokio::test(start_paused = true)]
async fn readiness_is_that_of_the_inner_service() {
    let inner = stalling();
    let handle = inner.handle();
    let mut service = ThrottleTrackerLayer::new().layer(inner);
    handle.set_pending();
    assert_pending!(poll_ready(&mut service));
    handle.fail_ready("shut down");
    assert_eq!(assert_ready_err!(poll_ready(&mut service)), "shut down");
    handle.set_ready();
    assert_ready_ok!(poll_ready(&mut service));

    let clone = service.clone();
    assert!(service.get_ref().is_ready() && !clone.get_ref().is_ready());
    drop(service.call(Request::new(())));
    assert_eq!((handle.cancelled(), handle.violations()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn dropped_future_does_not_close_the_backend() {
    let pool = pool();
    let mut service = ThrottleTrackerLayer::new().layer(stalling());
    for polls in 0..2 {
        assert_ready_ok!(poll_ready(&mut service));
        let mut sent = task::spawn(service.call(request(&pool)));
        (0..polls).for_each(|_| assert_pending!(sent.poll()));
        drop(sent);
        assert_eq!(condition(&pool), Condition::Open);
    }
    assert_eq!(service.get_ref().handle().cancelled(), 2);
}

#[tokio::test(start_paused = true)]
async fn dropped_probe_passes_to_the_next_request() {
    let pool = pool();
    fail_until_probe_is_due(&pool).await;
    let mut service = ThrottleTrackerLayer::new().layer(stalling());
    for polls in 0..2 {
        assert_ready_ok!(poll_ready(&mut service));
        let mut sent = task::spawn(service.call(request(&pool)));
        (0..polls).for_each(|_| assert_pending!(sent.poll()));
        assert!(!select(&pool).is_probe());
        drop(sent);
        assert_eq!(condition(&pool), Condition::Failing(Duration::ZERO));
    }
    assert!(select(&pool).is_probe());
}

#[tokio::test(start_paused = true)]
async fn panic_of_the_inner_service_releases_the_probe() {
    let pool = pool();
    fail_until_probe_is_due(&pool).await;
    let panicking: Inner = Probe::new(|_| async { panic!("the client panics") });
    let service = ThrottleTrackerLayer::new().layer(panicking);
    let request = request(&pool);
    assert!(
        tokio::spawn(service.oneshot(request))
            .await
            .unwrap_err()
            .is_panic()
    );
    assert!(select(&pool).is_probe());
}

#[test]
fn inner_service_is_accessible() {
    let mut service = ThrottleTrackerLayer::new().layer("inner");
    assert_eq!(*service.get_ref(), "inner");
    *service.get_mut() = "other";
    assert_eq!(service.into_inner(), "other");
}

use std::{convert::Infallible, future};

use http::{Request, Response};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::{ServiceBuilder, ServiceExt};
use tower_service::Service;

use super::*;

fn probe() -> Probe<(), (), &'static str> {
    Probe::new(|_| future::ready(Ok(Response::new(()))))
}

fn poll_ready<S: Service<Request<()>>>(service: &mut S) -> std::task::Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

#[test]
fn probe_satisfies_the_bounds_of_axum() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    fn check_future<T: Send + Unpin + 'static>(_: &T) {}
    let mut probe = probe();
    check(&probe);
    check(&probe.handle());
    assert_ready_ok!(poll_ready(&mut probe));
    check_future(&probe.call(Request::new(())));
}

#[test]
#[should_panic(expected = "readiness contract violated")]
fn call_before_poll_ready_panics() {
    drop(probe().call(Request::new(())));
}

#[test]
fn each_call_consumes_readiness() {
    let mut probe = probe();
    let handle = probe.handle();
    assert_ready_ok!(poll_ready(&mut probe));
    assert_ready_ok!(poll_ready(&mut probe));
    assert_eq!(handle.reserved(), 1);

    assert_ready_ok!(task::spawn(probe.call(Request::new(()))).poll());
    assert!(!probe.is_ready());
    let second = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(probe.call(Request::new(())));
    }));

    assert!(second.is_err());
    assert_eq!(
        (handle.polls(), handle.calls(), handle.violations()),
        (2, 1, 1)
    );
    assert_eq!(
        (handle.reserved(), handle.completed(), handle.in_flight()),
        (0, 1, 0)
    );
}

#[test]
fn clone_of_a_ready_probe_is_not_ready() {
    let mut probe = probe();
    let handle = probe.handle();
    assert_ready_ok!(poll_ready(&mut probe));

    let clone = probe.clone();
    assert!(probe.is_ready() && !clone.is_ready());
    assert_eq!(
        (handle.instances(), handle.clones(), handle.reserved()),
        (2, 1, 1)
    );

    drop(probe);
    assert_eq!((handle.instances(), handle.reserved()), (1, 0));
}

#[test]
fn pending_probe_is_ready_after_set_ready() {
    let mut one = probe();
    let handle = one.handle();
    assert_ready_ok!(poll_ready(&mut one));
    handle.set_pending();
    assert_ready_ok!(poll_ready(&mut one));

    let mut clone = one.clone();
    let mut task = task::spawn(());
    assert_pending!(task.enter(|cx, _| clone.poll_ready(cx)));
    assert!(!task.is_woken());
    handle.set_ready();
    assert!(task.is_woken());
    assert_ready_ok!(task.enter(|cx, _| clone.poll_ready(cx)));
}

#[test]
fn pending_polls_are_counted_per_instance_and_call() {
    let mut probe = probe();
    probe.handle().set_pending_polls(1);
    let mut clone = probe.clone();
    for _ in 0..2 {
        assert_pending!(poll_ready(&mut probe));
        assert_ready_ok!(poll_ready(&mut probe));
        drop(probe.call(Request::new(())));
    }
    assert_pending!(poll_ready(&mut clone));
}

#[test]
fn readiness_fails_once_per_error() {
    let mut probe = probe();
    assert_ready_ok!(poll_ready(&mut probe));
    probe.handle().fail_ready("broken");
    assert_eq!(assert_ready_err!(poll_ready(&mut probe)), "broken");
    assert!(!probe.is_ready());
    assert_ready_ok!(poll_ready(&mut probe));
}

#[test]
fn waiting_task_is_woken_by_a_failure() {
    let mut probe = probe();
    let handle = probe.handle();
    handle.set_pending();
    let mut task = task::spawn(());
    assert_pending!(task.enter(|cx, _| probe.poll_ready(cx)));
    handle.fail_ready("broken");
    assert!(task.is_woken());
    assert_ready_err!(task.enter(|cx, _| probe.poll_ready(cx)));
}

#[test]
fn dropped_response_future_is_cancelled() {
    let mut probe: Probe<(), (), Infallible> = Probe::new(|_| future::pending());
    let handle = probe.handle();
    assert_ready_ok!(poll_ready(&mut probe));
    let mut response = task::spawn(probe.call(Request::new(())));
    assert_pending!(response.poll());
    assert_eq!(handle.in_flight(), 1);
    drop(response);
    assert_eq!(
        (handle.in_flight(), handle.cancelled(), handle.completed()),
        (0, 1, 0)
    );
}

#[test]
fn error_is_a_completed_call() {
    let mut probe: Probe<(), (), _> = Probe::new(|_| future::ready(Err("no")));
    assert_ready_ok!(poll_ready(&mut probe));
    let mut response = task::spawn(probe.call(Request::new(())));
    assert_eq!(assert_ready!(response.poll()).unwrap_err(), "no");
    drop(response);
    assert_eq!(
        (probe.handle().completed(), probe.handle().cancelled()),
        (1, 0)
    );
}

#[tokio::test]
async fn layers_of_tower_keep_the_readiness_contract() {
    let probe = probe();
    let handle = probe.handle();
    handle.set_pending_polls(2);
    let service = ServiceBuilder::new()
        .map_request(|req: Request<()>| req)
        .concurrency_limit(1)
        .service(probe);
    for _ in 0..3 {
        service.clone().oneshot(Request::new(())).await.unwrap();
    }
    assert_eq!((handle.calls(), handle.violations()), (3, 0));
    assert_eq!((handle.instances(), handle.reserved()), (1, 0));
}

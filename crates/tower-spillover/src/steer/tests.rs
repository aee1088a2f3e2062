//! Tests of the service over one probe per backend.

use std::task::Poll;

use http::{Request, Response};
use spillover_core::{Attempts, Backend, Pool, Query};
use spillover_testing::{Probe, probe::ProbeHandle};
use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{BoxError, ServiceExt};
use tower_service::Service;

use super::*;

type Inner = Probe<(), &'static str, &'static str>;
type Handle = ProbeHandle<&'static str>;

fn pool() -> Pool {
    let backend = |label: &str| {
        Backend::builder(label)
            .url("http://upstream.example")
            .build()
    };
    Pool::new([backend("a").unwrap(), backend("b").unwrap()]).unwrap()
}

/// Creates a service per backend, which answers with the label of its backend at the second poll.
fn steer(pool: &Pool) -> (BackendSteer<Inner>, [Handle; 2]) {
    let mut handles = Vec::new();
    let steer = BackendSteer::new(pool, |backend| {
        let inner = service_of(backend);
        handles.push(inner.handle());
        inner
    });
    (steer, handles.try_into().unwrap())
}

fn service_of(backend: &Backend) -> Inner {
    let label = if backend.label() == "a" { "a" } else { "b" };
    Probe::new(move |_| async move {
        tokio::task::yield_now().await;
        Ok(Response::new(label))
    })
}

/// Creates a request for the backend with this index.
fn request(pool: &Pool, index: usize) -> Request<()> {
    let attempts = Attempts::new();
    attempts.mark(1 - index);
    let selected = pool
        .select(&Query::new().attempts(&attempts), Instant::now(), 0)
        .expect("it is open");
    let mut request = Request::new(());
    request.extensions_mut().insert(selected);
    request
}

fn poll_ready(service: &mut BackendSteer<Inner>) -> Poll<Result<(), BoxError>> {
    task::spawn(()).enter(|cx, _| Service::<Request<()>>::poll_ready(service, cx))
}

#[tokio::test]
async fn request_goes_to_the_service_of_its_backend() {
    let pool = pool();
    let (steer, handles) = steer(&pool);
    for (index, label) in [(0, "a"), (1, "b"), (0, "a")] {
        let response = steer.clone().oneshot(request(&pool, index)).await.unwrap();
        assert_eq!(*response.body(), label);
    }
    assert_eq!(handles.map(|handle| handle.calls()), [2, 1]);
}

#[tokio::test]
async fn services_are_created_once_in_the_order_of_the_pool() {
    let pool = pool();
    let mut labels = Vec::new();
    let steer = BackendSteer::new(&pool, |backend| {
        labels.push(backend.label().to_owned());
        let inner: Inner = Probe::new(|_| std::future::pending());
        inner
    });
    drop(steer.clone());
    assert_eq!(labels, ["a", "b"]);
}

#[test]
fn try_new_returns_the_error_of_the_first_service_that_fails() {
    let pool = pool();
    let mut calls = 0;
    let steer = BackendSteer::<Inner>::try_new(&pool, |backend| {
        calls += 1;
        Err(format!("no certificate for {}", backend.label()))
    });
    assert_eq!(steer.unwrap_err(), "no certificate for a");
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn services_of_try_new_serve_their_backends() {
    let pool = pool();
    let make = |backend: &Backend| Ok::<_, &str>(service_of(backend));
    let steer = BackendSteer::try_new(&pool, make).unwrap();
    for (index, label) in ["a", "b"].into_iter().enumerate() {
        let response = steer.clone().oneshot(request(&pool, index)).await.unwrap();
        assert_eq!(*response.body(), label);
    }
}

#[tokio::test]
async fn request_without_a_selected_backend_of_the_pool_is_an_error() {
    let pool = pool();
    let (mut steer, handles) = steer(&pool);
    // The other pool has the same backends, but is not the same pool.
    let other = self::pool();
    for request in [Request::new(()), request(&other, 0)] {
        assert_ready_ok!(poll_ready(&mut steer));
        let error = steer.call(request).await.unwrap_err();
        assert!(error.is::<NotSelected>());
        assert_eq!(
            error.to_string(),
            "no backend of this pool was selected for the request"
        );
    }
    for handle in handles {
        assert_eq!(
            (handle.polls(), handle.calls(), handle.instances()),
            (0, 0, 1)
        );
    }
}

#[tokio::test]
async fn steer_is_always_ready() {
    let (mut steer, handles) = steer(&pool());
    for handle in &handles {
        handle.set_pending();
        handle.fail_ready("shut down");
    }
    assert_ready_ok!(poll_ready(&mut steer));
    assert_ready_ok!(poll_ready(&mut steer.clone()));
    assert!(handles.iter().all(|handle| handle.polls() == 0));
}

#[tokio::test]
async fn only_the_selected_service_is_made_ready() {
    let pool = pool();
    let (mut steer, [a, b]) = steer(&pool);
    a.set_pending_polls(3);
    let mut sent = task::spawn(steer.call(request(&pool, 0)));
    for _ in 0..3 {
        assert_pending!(sent.poll());
        assert!(sent.is_woken());
        assert_eq!(a.calls(), 0);
    }
    assert_pending!(sent.poll());
    assert_eq!((a.calls(), a.violations()), (1, 0));
    assert_eq!(*assert_ready_ok!(sent.poll()).body(), "a");
    drop(sent);

    assert_eq!((a.reserved(), a.instances()), (0, 1));
    assert_eq!((b.polls(), b.reserved(), b.instances()), (0, 0, 1));
}

#[tokio::test]
async fn request_that_waits_for_readiness_is_woken() {
    let pool = pool();
    let (mut steer, [a, _]) = steer(&pool);
    a.set_pending();
    let mut sent = task::spawn(steer.call(request(&pool, 0)));
    assert_pending!(sent.poll());
    assert!(!sent.is_woken());
    a.set_ready();
    assert!(sent.is_woken());
    assert_pending!(sent.poll());
    assert_eq!(*assert_ready_ok!(sent.poll()).body(), "a");
}

#[tokio::test]
async fn errors_of_the_selected_service_pass() {
    let pool = pool();
    let (mut steer, [a, _]) = steer(&pool);
    a.fail_ready("shut down");
    let mut sent = task::spawn(steer.call(request(&pool, 0)));
    assert_eq!(assert_ready_err!(sent.poll()).to_string(), "shut down");

    let steer = BackendSteer::new(&pool, |_| {
        let inner: Inner = Probe::new(|_| async { Err("connection refused") });
        inner
    });
    let error = steer.oneshot(request(&pool, 1)).await.unwrap_err();
    assert_eq!(error.to_string(), "connection refused");
}

#[tokio::test]
async fn dropped_future_drops_the_selected_service() {
    let pool = pool();
    // Stages: before the first poll, while it waits for readiness, and while it waits for the answer.
    for (polls, is_waiting, cancelled) in [(0, false, 0), (1, true, 0), (1, false, 1)] {
        let (mut steer, [a, _]) = steer(&pool);
        if is_waiting {
            a.set_pending();
        }
        let mut sent = task::spawn(steer.call(request(&pool, 0)));
        (0..polls).for_each(|_| assert_pending!(sent.poll()));
        drop(sent);
        assert_eq!((a.cancelled(), a.in_flight()), (cancelled, 0));
        assert_eq!((a.reserved(), a.instances()), (0, 1));
    }
}

#[test]
fn debug_output_names_the_backends() {
    let (mut steer, _) = steer(&pool());
    assert!(format!("{steer:?}").contains("upstream.example"));
    let future = steer.call(Request::new(()));
    assert_eq!(format!("{future:?}"), "ResponseFuture { .. }");
}

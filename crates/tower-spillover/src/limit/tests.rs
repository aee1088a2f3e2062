use std::{sync::Arc, task::Poll};

use http::{Request, Response};
use http_body_util::BodyExt;
use spillover_testing::{Probe, ScriptedBody, probe::ProbeHandle};
use tokio::sync::Semaphore;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::body::GuardedBody;

type Inner = Probe<(), ScriptedBody, &'static str>;

/// Limits an inner service that answers with this body to `max` concurrent requests.
fn limited(
    max: usize,
    body: impl Fn() -> ScriptedBody + Send + 'static,
) -> ConcurrencyLimit<Inner> {
    ConcurrencyLimitLayer::new(max).layer(Probe::new(move |_| {
        let response = Response::new(body());
        async { Ok(response) }
    }))
}

fn poll_ready(service: &mut ConcurrencyLimit<Inner>) -> Poll<Result<(), &'static str>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

fn call(service: &mut ConcurrencyLimit<Inner>) -> GuardedBody<ScriptedBody, Permit> {
    assert_ready_ok!(poll_ready(service));
    let mut sent = task::spawn(service.call(Request::new(())));
    assert_ready_ok!(sent.poll()).into_body()
}

fn paused() -> ScriptedBody {
    ScriptedBody::new().data("one").pause()
}

#[tokio::test]
async fn stream_holds_its_permit_until_its_end() {
    let mut service = limited(1, || ScriptedBody::new().data("one").data("two"));
    let mut body = call(&mut service);
    body.frame().await.unwrap().unwrap();
    let mut waits = task::spawn(());
    assert_pending!(waits.enter(|cx, _| service.poll_ready(cx)));
    body.frame().await.unwrap().unwrap();
    assert!(waits.is_woken());
    assert_ready_ok!(waits.enter(|cx, _| service.poll_ready(cx)));
    drop(body);
}

#[tokio::test]
async fn failed_or_dropped_body_releases_its_permit() {
    let mut service = limited(1, || ScriptedBody::new().data("one").error("reset").pause());
    let mut body = call(&mut service);
    body.frame().await.unwrap().unwrap();
    assert_pending!(poll_ready(&mut service));
    assert!(body.frame().await.unwrap().is_err());
    assert_ready_ok!(poll_ready(&mut service));

    let mut service = limited(1, paused);
    drop(call(&mut service));
    assert_ready_ok!(poll_ready(&mut service));
}

#[tokio::test]
async fn body_that_has_ended_releases_its_permit_at_once() {
    let mut service = limited(1, ScriptedBody::new);
    let body = call(&mut service);
    assert_ready_ok!(poll_ready(&mut service));
    drop(body);
}

#[tokio::test]
async fn failed_or_dropped_request_releases_its_permit() {
    let mut service = ConcurrencyLimitLayer::new(1).layer(Inner::new(|_| async { Err("refused") }));
    assert_ready_ok!(poll_ready(&mut service));
    let mut failed = task::spawn(service.call(Request::new(())));
    assert_eq!(assert_ready_err!(failed.poll()), "refused");
    assert_ready_ok!(poll_ready(&mut service));
    drop(failed);

    let inner = Inner::new(|_| std::future::pending());
    let mut service = ConcurrencyLimitLayer::new(1).layer(inner);
    assert_ready_ok!(poll_ready(&mut service));
    let mut dropped = task::spawn(service.call(Request::new(())));
    assert_pending!(dropped.poll());
    assert_pending!(poll_ready(&mut service));
    drop(dropped);
    assert_ready_ok!(poll_ready(&mut service));
}

#[tokio::test]
async fn permits_are_acquired_in_the_order_of_requests() {
    let service = limited(1, paused);
    let body = call(&mut service.clone());
    let [mut first, mut second] = [0, 1].map(|_| (service.clone(), task::spawn(())));
    for (service, task) in [&mut first, &mut second] {
        assert_pending!(task.enter(|cx, _| service.poll_ready(cx)));
    }
    drop(body);
    assert!(first.1.is_woken() && !second.1.is_woken());
    // A new request does not overtake a waiting one.
    assert_pending!(poll_ready(&mut service.clone()));
    assert_ready_ok!(first.1.enter(|cx, _| first.0.poll_ready(cx)));

    // A waiting request that is dropped hands its permit off to the next.
    drop(first.0);
    assert!(second.1.is_woken());
    assert_ready_ok!(second.1.enter(|cx, _| second.0.poll_ready(cx)));
}

#[tokio::test]
async fn dropped_waiter_is_passed_over() {
    let service = limited(1, paused);
    let body = call(&mut service.clone());
    let mut gone = service.clone();
    assert_pending!(poll_ready(&mut gone));
    let mut next = service.clone();
    let mut waits = task::spawn(());
    assert_pending!(waits.enter(|cx, _| next.poll_ready(cx)));
    drop(gone);
    drop(body);
    assert!(waits.is_woken());
    assert_ready_ok!(waits.enter(|cx, _| next.poll_ready(cx)));
}

#[tokio::test]
async fn clone_of_a_ready_service_is_not_ready() {
    let mut service = limited(1, paused);
    assert_ready_ok!(poll_ready(&mut service));
    let mut clone = service.clone();
    assert_pending!(poll_ready(&mut clone));
    let body = call(&mut service);
    drop(body);
    assert_ready_ok!(poll_ready(&mut clone));
}

#[tokio::test]
#[should_panic(expected = "called without being ready")]
async fn call_without_a_permit_panics() {
    drop(limited(1, paused).call(Request::new(())));
}

#[tokio::test]
async fn inner_service_is_polled_only_with_a_permit() {
    let mut service = limited(1, paused);
    let handle: ProbeHandle<_> = service.get_ref().handle();
    let body = call(&mut service.clone());
    assert_pending!(poll_ready(&mut service));
    assert_eq!(handle.reserved(), 0);
    drop(body);

    handle.set_pending();
    assert_pending!(poll_ready(&mut service));
    handle.set_ready();
    assert_ready_ok!(poll_ready(&mut service));
    assert_eq!(handle.reserved(), 1);
}

#[tokio::test]
async fn semaphore_can_be_shared_by_services() {
    let semaphore = Arc::new(Semaphore::new(1));
    let layer = ConcurrencyLimitLayer::with_semaphore(Arc::clone(&semaphore));
    let [mut one, mut two] =
        [0, 1].map(|_| layer.layer(Inner::new(|_| async { Ok(Response::new(paused())) })));
    let body = call(&mut one);
    assert_pending!(poll_ready(&mut two));
    assert_eq!(semaphore.available_permits(), 0);

    semaphore.add_permits(1);
    assert_ready_ok!(poll_ready(&mut two));
    drop((one, two, body));
    assert_eq!(semaphore.available_permits(), 2);
}

#[tokio::test]
async fn service_without_permits_is_never_ready() {
    assert_pending!(poll_ready(&mut limited(0, paused)));
}

#[tokio::test]
async fn limit_holds_for_many_concurrent_requests() {
    let service = limited(3, || ScriptedBody::new().data("one").pending().data("two"));
    let semaphore = Arc::new(Semaphore::new(3));
    let sent: Vec<_> = (0..100)
        .map(|_| {
            let (mut service, semaphore) = (service.clone(), Arc::clone(&semaphore));
            tokio::spawn(async move {
                std::future::poll_fn(|cx| service.poll_ready(cx))
                    .await
                    .unwrap();
                let permit = semaphore.try_acquire_owned().expect("no more than three");
                let answer = service.call(Request::new(())).await.unwrap();
                let mut body = answer.into_body();
                body.frame().await.unwrap().unwrap();
                drop(permit);
                body.frame().await.unwrap().unwrap();
            })
        })
        .collect();
    for sent in sent {
        sent.await.unwrap();
    }
}

#[test]
fn inner_service_is_accessible() {
    let mut service = ConcurrencyLimitLayer::new(1).layer("inner");
    assert_eq!(*service.get_ref(), "inner");
    *service.get_mut() = "other";
    assert_eq!(service.into_inner(), "other");
}

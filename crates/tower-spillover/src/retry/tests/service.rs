//! Readiness, clones and cancellation.

use std::future;

use http::Request;
use http_body_util::BodyExt;
use spillover_core::layer::AttemptsProtocol;
use spillover_testing::{Probe, probe::ProbeHandle};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;
use tower_test::mock;

use super::{inner::*, *};

fn poll_ready<S: Service<Request<ScriptedBody>>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

#[tokio::test(start_paused = true)]
async fn readiness_is_that_of_the_inner_service() {
    let inner = answers([Ok(200)]);
    let handle = inner.handle();
    let mut service = RetryThrottledLayer::new().layer(inner);
    handle.set_pending();
    assert_pending!(poll_ready(&mut service));
    handle.fail_ready("shut down");
    assert_eq!(assert_ready_err!(poll_ready(&mut service)), "shut down");
    handle.set_ready();
    assert_ready_ok!(poll_ready(&mut service));
    assert_eq!(handle.reserved(), 1);
}

#[tokio::test(start_paused = true)]
async fn clone_of_a_ready_service_is_not_ready() {
    let inner = answers([Ok(200)]);
    let handle = inner.handle();
    let mut service = RetryThrottledLayer::new().layer(inner);
    assert_ready_ok!(poll_ready(&mut service));
    let clone = service.clone();
    assert!(service.get_ref().is_ready() && !clone.get_ref().is_ready());
    service.call(request(ScriptedBody::new())).await.unwrap();
    assert_eq!((handle.calls(), handle.violations()), (1, 0));
}

/// Creates a service whose inner service refuses the first attempt after a yield, and never answers the second.
fn stalling(limits: ReplayLimits) -> (RetryThrottled<Inner>, ProbeHandle<&'static str>) {
    let inner: Inner = Probe::new(|request: Request<ReplayBody<_>>| async move {
        let attempt = mark_next(&request);
        let mut body = request.into_body();
        body.frame().await;
        match attempt {
            0 => tokio::task::yield_now().await,
            _ => future::pending().await,
        }
        Ok(response(429, 0))
    });
    let handle = inner.handle();
    (
        RetryThrottledLayer::new()
            .replay_limits(limits)
            .layer(inner),
        handle,
    )
}

#[tokio::test(start_paused = true)]
async fn retry_waits_for_the_readiness_of_the_service_it_calls() {
    let (mut service, handle) = stalling(ReplayLimits::default());
    assert_ready_ok!(poll_ready(&mut service));
    let mut sent = task::spawn(service.call(request(ScriptedBody::new().data("one"))));
    handle.set_pending();
    assert_pending!(sent.poll());
    assert_pending!(sent.poll());
    assert_eq!((handle.calls(), handle.completed()), (1, 1));

    handle.set_ready();
    assert!(sent.is_woken());
    assert_pending!(sent.poll());
    assert_eq!((handle.calls(), handle.violations()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_reserves_its_own_readiness() {
    let layer = RetryThrottledLayer::new().max_attempts(2);
    let (mut service, mut handle) = mock::spawn_layer(layer);
    let request: Request<ScriptedBody> = request(ScriptedBody::new().data("one"));
    handle.allow(1);
    assert_ready_ok!(service.poll_ready::<Request<ScriptedBody>>());
    let mut sent = task::spawn(service.call(request));
    let (first, answer): (Request<ReplayBody<ScriptedBody>>, _) = next(&mut handle);
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "one");
    answer.send_response(response(429, 0));
    assert_pending!(sent.poll());

    handle.allow(1);
    assert!(sent.is_woken());
    assert_pending!(sent.poll());
    let (second, answer) = next(&mut handle);
    assert_eq!(
        second.into_body().collect().await.unwrap().to_bytes(),
        "one"
    );
    answer.send_response(response(200, 1));
    assert_eq!(*assert_ready_ok!(sent.poll()).body(), 1);
}

fn next<T, U>(handle: &mut mock::Handle<T, U>) -> (T, mock::SendResponse<U>) {
    let request = assert_ready!(task::spawn(handle.next_request()).poll());
    request.expect("a request")
}

#[tokio::test(start_paused = true)]
async fn readiness_error_ends_the_request() {
    let (mut service, handle) = stalling(ReplayLimits::default());
    assert_ready_ok!(poll_ready(&mut service));
    let mut sent = task::spawn(service.call(request(ScriptedBody::new().data("one"))));
    assert_pending!(sent.poll());
    handle.fail_ready("shut down");
    assert_eq!(assert_ready_err!(sent.poll()), "shut down");
    assert_eq!(handle.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropped_future_drops_the_attempt_and_releases_the_recording() {
    // Stages: before the first poll, during the first attempt, while the retry waits for readiness, and during the second
    // attempt.
    let stages = [(0, false, 1), (1, false, 1), (2, true, 0), (2, false, 1)];
    for (polls, is_waiting, cancelled) in stages {
        let limits = ReplayLimits::default().total(1000);
        let (mut service, handle) = stalling(limits.clone());
        assert_ready_ok!(poll_ready(&mut service));
        let body = ScriptedBody::new().data("one").pause();
        let source = body.handle();
        let mut sent = task::spawn(service.call(request(body)));
        if is_waiting {
            handle.set_pending();
        }
        for _ in 0..polls {
            assert_pending!(sent.poll());
        }
        assert_eq!(is_free(&limits, 1000), polls == 0);

        drop(sent);
        assert_eq!((handle.in_flight(), handle.cancelled()), (0, cancelled));
        // Two instances are left: the service, and the template service for retries.
        assert_eq!((handle.instances(), handle.reserved()), (2, 0));
        assert!(source.is_dropped());
        assert!(is_free(&limits, 1000));
    }
}

#[tokio::test(start_paused = true)]
async fn service_is_cloned_for_retries_only() {
    let inner = answers([Ok(200), Ok(429), Ok(500), Ok(200)]);
    let handle = inner.handle();
    let mut service = RetryThrottledLayer::new().max_attempts(3).layer(inner);
    let before = handle.clones();
    for (clones, answered) in [(0, 0), (2, 3)] {
        assert_ready_ok!(poll_ready(&mut service));
        let response = service.call(request(ScriptedBody::new())).await.unwrap();
        assert_eq!(*response.body(), answered);
        assert_eq!(handle.clones() - before, clones);
    }
    assert_eq!((handle.instances(), handle.violations()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn retry_uses_the_inner_service_set_by_get_mut() {
    let layer = RetryThrottledLayer::new().max_attempts(2);
    let mut service = layer.layer(answers([]));
    *service.get_mut() = answers([Ok(429), Ok(200)]);
    let mut clone = service.clone();
    assert_eq!(send(service).await, Ok((200, 1)));

    *clone.get_mut() = answers([Ok(500), Ok(204)]);
    assert_eq!(send(clone).await, Ok((204, 1)));
}

#[test]
fn inner_service_is_accessible() {
    let mut service = RetryThrottledLayer::new().layer("inner");
    assert_eq!(*service.get_ref(), "inner");
    *service.get_mut() = "other";
    assert_eq!(service.into_inner(), "other");
}

#[tokio::test(start_paused = true)]
async fn inner_layer_sees_that_the_request_body_is_awaited() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let inner = {
        let seen = std::sync::Arc::clone(&seen);
        Probe::new(move |request: Request<ReplayBody<ScriptedBody>>| {
            let attempts = attempts(request.extensions()).clone();
            *seen.lock().unwrap() = Some(attempts);
            async move {
                let body = request.into_body().collect().await;
                body.map(|_| response(200, 1)).map_err(|_| "broken")
            }
        })
    };
    let body = ScriptedBody::new().data("half of it, ").pause();
    let handle = body.handle();
    let service = RetryThrottledLayer::new().layer(inner);
    let mut call = task::spawn(service.oneshot(request(body)));
    assert_pending!(call.poll());
    let attempts = seen
        .lock()
        .unwrap()
        .clone()
        .expect("the request has `Attempts`");
    assert!(attempts.is_awaiting_body());

    handle.push_data("and the rest");
    handle.resume();
    assert!(assert_ready!(call.poll()).is_ok());
    assert!(!attempts.is_awaiting_body());
}

//! Checks that the logs of the layers tell what happened and hold no secret.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use axum::body::Body;
use http::Request;
use spillover_testing::CapturedLog;
use spillover_tests::{
    on_deployments, on_every_deployment,
    stack::{Deployment, Reply, SECOND, Stack},
};
use tokio::time::advance;
use tokio_test::{assert_pending, task};
use tower_spillover::{retry::ReplayLimits, select::WhenExhausted};
use tracing::Level;

on_every_deployment! {
    spill_and_recovery_are_logged
    lowered_limit_is_logged
    dropped_attempt_is_logged
    no_secret_is_logged
}

// The gateway has no setting for the limits.
on_deployments! {
    [SharedClient PerBackend TonicChannels]
    body_that_cannot_be_replayed_is_logged
}

async fn spill_and_recovery_are_logged(deployment: Deployment) {
    let (log, _guard) = CapturedLog::start(Level::DEBUG);
    let stack =
        Stack::builder([("a", 1), ("b", 2), ("c", 3)]).build(deployment, |label, nth| {
            match (label, nth) {
                ("a", _) => Reply::throttled(30),
                ("b", 1) => Reply::error("connection refused"),
                _ => Reply::status(200),
            }
        });
    stack.send().await;
    assert!(
        log.count(&[
            "INFO",
            "backend closed",
            "\"a\"",
            "throttled",
            "cooldown_ms=30000",
            "retry-after"
        ]) > 0
    );
    assert!(
        log.count(&[
            "INFO",
            "backend closed",
            "\"b\"",
            "failing",
            "cooldown_ms=10000",
            "default"
        ]) > 0
    );
    assert!(
        log.count(&[
            "DEBUG",
            "backend selected",
            "\"c\"",
            "attempt=3",
            "spill=true"
        ]) > 0
    );

    advance(10 * SECOND).await;
    stack.send().await;
    assert!(log.count(&["INFO", "backend open again", "\"b\""]) > 0);
}

async fn dropped_attempt_is_logged(deployment: Deployment) {
    let (log, _guard) = CapturedLog::start(Level::DEBUG);
    let stack = Stack::builder([("a", 1)]).build(deployment, |_, nth| match nth {
        1 => Reply::status(200),
        _ => Reply::stall(),
    });
    stack.send().await;
    assert!(log.count(&["given up"]) == 0);
    let mut sent = task::spawn(stack.send());
    assert_pending!(sent.poll());
    drop(sent);
    assert!(log.count(&["DEBUG", "attempt given up", "\"a\""]) > 0);
}

async fn body_that_cannot_be_replayed_is_logged(deployment: Deployment) {
    let (log, _guard) = CapturedLog::start(Level::WARN);
    let limits = ReplayLimits::default().per_request(3);
    let stack = Stack::builder([("a", 1), ("b", 2)]).limits(limits).build(
        deployment,
        |label, _| match label {
            "a" => Reply::throttled(2),
            _ => Reply::status(200),
        },
    );
    assert_eq!(stack.send().await.summary(), (429, "a", 1));
    assert!(log.count(&["WARN", "throttled", "outgrew the replay limits"]) > 0);
}

async fn no_secret_is_logged(deployment: Deployment) {
    let (log, _guard) = CapturedLog::start(Level::TRACE);
    let stack = Stack::builder([("a", 1), ("b", 2)]).when_exhausted(WhenExhausted::Wait(SECOND));
    let stack = stack.build(deployment, |label, nth| match (label, nth) {
        ("a", _) => Reply::status(401),
        (_, 1) => Reply::error("connection refused"),
        _ => Reply::throttled(1).header("set-cookie", "key-of-a-session"),
    });
    for _ in 0..3 {
        let request = Request::post("/v1/chat/completions?key=key-of-a-query")
            .header("authorization", "Bearer key-of-a-client")
            .header("api-key", "key-of-a-client");
        let _ = stack
            .call(request.body(Body::from("key-of-a-body")).unwrap())
            .await;
    }
    assert!(log.count(&["backend selected"]) > 0 && log.count(&["backend closed"]) > 0);
    assert!(!log.text().contains("key-of"), "{}", log.text());
}

async fn lowered_limit_is_logged(deployment: Deployment) {
    let (log, _guard) = CapturedLog::start(Level::WARN);
    let stack = Stack::builder([("a", 1)]).build(deployment, |_, nth| {
        let limit = if nth == 1 { 90_000 } else { 60_000 };
        Reply::status(200).header("x-ratelimit-limit-tokens", limit)
    });
    stack.send().await;
    stack.send().await;
    assert_eq!(log.text(), "");
    advance(10 * SECOND).await;
    stack.send().await;
    stack.send().await;
    let line = [
        "WARN",
        "lowered",
        "backend=\"a\"",
        "limit=60000",
        "before=90000",
    ];
    assert!(log.count(&line) > 0, "{}", log.text());
    assert_eq!(log.text().lines().count(), 1);
}

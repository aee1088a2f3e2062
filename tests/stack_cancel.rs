//! A client that goes away: its call is cancelled, and nothing that others need stays behind.

use axum::body::Body;
use spillover_testing::ScriptedBody;
use spillover_tests::{
    on_both_deployments,
    stack::{Deployment, Reply, SECOND, Stack},
};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, task};
use tower_spillover::{Condition, Outcome, Scope, select::WhenExhausted};

on_both_deployments! {
    in_the_first_attempt
    in_the_second_attempt
    while_it_probes
    while_it_waits
    while_it_sends
}

async fn in_the_first_attempt(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |_, _| Reply::stall());
    let mut sent = task::spawn(stack.send());
    assert_pending!(sent.poll());
    assert_eq!(stack.backends.in_flight(), 1);
    drop(sent);
    assert_eq!(
        (stack.backends.in_flight(), stack.backends.cancelled()),
        (0, 1)
    );
    assert_eq!(stack.backends.order(), ["a"]);
    assert_eq!(stack.conditions(), [Condition::Open; 2]);
}

async fn in_the_second_attempt(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |label, _| match label {
        "a" => Reply::throttled(5),
        _ => Reply::stall(),
    });
    let mut sent = task::spawn(stack.send());
    assert_pending!(sent.poll());
    drop(sent);
    assert_eq!(
        (stack.backends.in_flight(), stack.backends.cancelled()),
        (0, 1)
    );
    // What the first said holds all the same.
    assert_eq!(
        stack.conditions(),
        [Condition::Throttled(5 * SECOND), Condition::Open]
    );
}

async fn while_it_probes(deployment: Deployment) {
    let stack =
        Stack::builder([("a", 1), ("b", 2)]).build(deployment, |label, nth| match (label, nth) {
            ("a", 1) => Reply::status(500),
            ("a", 2) => Reply::stall(),
            _ => Reply::status(200),
        });
    stack.send().await;
    advance(10 * SECOND).await;
    let mut probe = task::spawn(stack.send());
    assert_pending!(probe.poll());
    assert_eq!(stack.send().await.summary(), (200, "b", 1));

    drop(probe);
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
}

async fn while_it_waits(deployment: Deployment) {
    let stack = Stack::builder([("a", 1)]).when_exhausted(WhenExhausted::Wait(60 * SECOND));
    let stack = stack.build(deployment, |_, _| Reply::status(200));
    let now = Instant::now();
    stack
        .pool
        .first(Scope::WHOLE, now)
        .record(&Outcome::throttled(5 * SECOND), now);
    let mut sent = task::spawn(stack.send());
    assert_pending!(sent.poll());
    drop(sent);
    advance(5 * SECOND).await;
    assert_eq!(stack.backends.count("a"), 0);
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
}

async fn while_it_sends(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |_, _| Reply::status(200));
    let body = ScriptedBody::new().data("one").pause();
    let client = body.handle();
    let mut sent = task::spawn(stack.send_body(Body::new(body)));
    assert_pending!(sent.poll());
    drop(sent);
    assert!(client.dropped_early());
    assert_eq!(
        (stack.backends.in_flight(), stack.backends.cancelled()),
        (0, 1)
    );
    assert_eq!(stack.conditions(), [Condition::Open; 2]);
}

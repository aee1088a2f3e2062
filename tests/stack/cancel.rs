//! A client that goes away: its call is cancelled, and no shared resource stays taken.

use axum::body::Body;
use spillover_testing::ScriptedBody;
use spillover_tests::{
    on_every_deployment,
    stack::{Deployment, Reply, SECOND, Stack, settle},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, advance},
};
use tower_spillover::{Condition, Outcome, Query, select::WhenExhausted};

on_every_deployment! {
    cancelled_in_the_first_attempt
    cancelled_in_the_second_attempt
    many_cancelled_at_once
    cancelled_while_it_probes
    cancelled_while_it_waits
    cancelled_while_it_sends
}

async fn cancelled_in_the_first_attempt(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |_, _| Reply::stall());
    let sent = stack.start("question").await;
    assert_eq!(stack.backends.in_flight(), 1);
    sent.abort();
    settle().await;
    assert_eq!(
        (stack.backends.in_flight(), stack.backends.cancelled()),
        (0, 1)
    );
    assert_eq!(stack.backends.order(), ["a"]);
    assert_eq!(stack.conditions(), [Condition::Open; 2]);
}

async fn cancelled_in_the_second_attempt(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |label, _| match label {
        "a" => Reply::throttled(5),
        _ => Reply::stall(),
    });
    let sent = stack.start("question").await;
    sent.abort();
    settle().await;
    assert_eq!(
        (stack.backends.in_flight(), stack.backends.cancelled()),
        (0, 1)
    );
    // The first answer's cooldown still counts.
    assert_eq!(
        stack.conditions(),
        [Condition::Throttled(5 * SECOND), Condition::Open]
    );
}

async fn many_cancelled_at_once(deployment: Deployment) {
    let stack = Stack::builder([("a", 1)]).build(deployment, |_, nth| match nth {
        ..=100 => Reply::stall(),
        _ => Reply::status(200),
    });
    let mut sent = Vec::new();
    for _ in 0..100 {
        sent.push(stack.start("question").await);
    }
    assert_eq!(stack.backends.in_flight(), 100);
    sent.iter().for_each(JoinHandle::abort);
    settle().await;
    assert_eq!(
        (stack.backends.in_flight(), stack.backends.cancelled()),
        (0, 100)
    );
    // Their shared state serves the next request.
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
}

async fn cancelled_while_it_probes(deployment: Deployment) {
    let stack =
        Stack::builder([("a", 1), ("b", 2)]).build(deployment, |label, nth| match (label, nth) {
            ("a", 1) => Reply::status(500),
            ("a", 2) => Reply::stall(),
            _ => Reply::status(200),
        });
    stack.send().await;
    advance(10 * SECOND).await;
    let probe = stack.start("question").await;
    assert_eq!(stack.send().await.summary(), (200, "b", 1));

    probe.abort();
    settle().await;
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
}

async fn cancelled_while_it_waits(deployment: Deployment) {
    let stack = Stack::builder([("a", 1)]).when_exhausted(WhenExhausted::Wait(60 * SECOND));
    let stack = stack.build(deployment, |_, _| Reply::status(200));
    let now = Instant::now();
    stack
        .pool
        .first(&Query::new(), now)
        .expect("it is not full")
        .record(&Outcome::throttled(5 * SECOND), now);
    let sent = stack.start("question").await;
    sent.abort();
    settle().await;
    advance(5 * SECOND).await;
    assert_eq!(stack.backends.count("a"), 0);
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
}

async fn cancelled_while_it_sends(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |_, _| Reply::status(200));
    let body = ScriptedBody::new().data("one").pause();
    let client = body.handle();
    let sent = stack.start(Body::new(body)).await;
    sent.abort();
    settle().await;
    assert!(client.dropped_early());
    assert_eq!(
        (stack.backends.in_flight(), stack.backends.cancelled()),
        (0, 1)
    );
    assert_eq!(stack.conditions(), [Condition::Open; 2]);
}

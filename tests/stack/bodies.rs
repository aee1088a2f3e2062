//! Request bodies across several attempts.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request};
use spillover_testing::ScriptedBody;
use spillover_tests::{
    on_deployments, on_every_deployment,
    stack::{Deployment, Reply, SECOND, Stack, settle},
};
use tower_spillover::{Condition, retry::ReplayLimits};

on_every_deployment! {
    every_attempt_gets_the_same_bytes_and_trailers
    large_body_survives_a_failover
    refusal_in_the_middle_of_a_large_body_fails_over
    incomplete_body_is_streamed_to_the_next_backend
    aborted_upload_does_not_count_against_a_backend
}

// The gateway has no setting for the limits.
on_deployments! {
    [SharedClient PerBackend TonicChannels]
    body_beyond_the_limit_is_sent_once
    replay_budget_is_returned
}

// A connection reads ahead of its server.
on_deployments! {
    [SharedClient PerBackend]
    body_beyond_the_limit_fails_over_until_it_is_read
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "7".parse().unwrap());
    trailers
}

/// Makes all but the last of three backends answer 429 after reading this many chunks.
fn reading(chunks: usize) -> impl Fn(&str, usize) -> Reply {
    move |label, _| match label {
        "c" => Reply::status(200),
        _ => Reply::throttled(2).reads(chunks),
    }
}

async fn every_attempt_gets_the_same_bytes_and_trailers(deployment: Deployment) {
    for (chunks, read) in [
        (0, ""),
        (1, "one, "),
        (2, "one, two"),
        (usize::MAX, "one, two"),
    ] {
        let stack =
            Stack::builder([("a", 1), ("b", 2), ("c", 3)]).build(deployment, reading(chunks));
        let body = ScriptedBody::new()
            .data("one, ")
            .pending()
            .data("two")
            .trailers(trailers());
        // HTTP/1.1 drops trailers that are not announced.
        let request = Request::post("/v1/chat/completions").header("trailer", "x-checksum");
        let request = request.body(Body::new(body)).unwrap();
        let answer = stack.send_request(request).await.unwrap();
        assert_eq!(answer.summary(), (200, "c", 3));

        let [first, second, last] = &stack.backends.seen()[..] else {
            panic!("three attempts");
        };
        assert_eq!((&first.body, &second.body), (&read.into(), &read.into()));
        assert_eq!(last.body, "one, two");
        assert_eq!(last.trailers, Some(trailers()));
    }
}

fn large() -> Bytes {
    (0..1 << 20_u32).map(|n| (n % 251) as u8).collect()
}

async fn large_body_survives_a_failover(deployment: Deployment) {
    let body = large();
    let stack =
        Stack::builder([("a", 1), ("b", 2), ("c", 3)]).build(deployment, reading(usize::MAX));
    assert_eq!(
        stack.send_body(body.clone()).await.unwrap().summary(),
        (200, "c", 3)
    );
    assert!(stack.backends.seen().iter().all(|seen| seen.body == body));
}

async fn refusal_in_the_middle_of_a_large_body_fails_over(deployment: Deployment) {
    for chunks in [0, 1] {
        let stack =
            Stack::builder([("a", 1), ("b", 2), ("c", 3)]).build(deployment, reading(chunks));
        let answer = stack.send_body(large()).await.unwrap();
        assert_eq!(answer.summary(), (200, "c", 3));
        assert_eq!(stack.backends.seen()[2].body, large());
    }
}

async fn incomplete_body_is_streamed_to_the_next_backend(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("c", 2)]).build(deployment, reading(1));
    let body = ScriptedBody::new().data("one, ").pause();
    let client = body.handle();
    let sent = stack.start(Body::new(body)).await;
    // The first backend has answered, the second waits for the rest.
    assert_eq!(stack.backends.order(), ["a", "c"]);
    client.push_data("two");
    settle().await;
    assert_eq!(client.data_frames(), 2);
    assert!(!sent.is_finished());
    client.resume();
    let answer = sent.await.unwrap().unwrap();
    assert_eq!(answer.summary(), (200, "c", 2));
    assert_eq!(stack.backends.seen()[1].body, "one, two");
}

async fn body_beyond_the_limit_is_sent_once(deployment: Deployment) {
    let limits = ReplayLimits::default().per_request(1000);
    let stack = Stack::builder([("a", 1), ("c", 2)])
        .limits(limits)
        .build(deployment, reading(usize::MAX));
    let answer = stack.send_body(vec![7; 1001]).await.unwrap();
    assert_eq!(answer.summary(), (429, "a", 1));
    // A client that retries finds an open backend.
    assert_eq!(answer.comes_back_after(), [Some("1"), Some("1")]);
    assert_eq!(
        stack.conditions(),
        [Condition::Throttled(2 * SECOND), Condition::Open]
    );
    assert_eq!(
        stack.send_body(vec![7; 1001]).await.unwrap().summary(),
        (200, "c", 1)
    );
}

async fn body_beyond_the_limit_fails_over_until_it_is_read(deployment: Deployment) {
    let limits = ReplayLimits::default().per_request(1000);
    let stack = Stack::builder([("a", 1), ("c", 2)])
        .limits(limits)
        .build(deployment, reading(0));
    assert_eq!(
        stack.send_body(vec![7; 1001]).await.unwrap().summary(),
        (200, "c", 2)
    );
    assert_eq!(stack.backends.seen()[1].body, vec![7; 1001]);
}

async fn aborted_upload_does_not_count_against_a_backend(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |_, _| Reply::status(200));
    let body = ScriptedBody::new()
        .data("one, ")
        .pending()
        .error("connection reset by client");
    stack.send_body(Body::new(body)).await.unwrap_err();
    assert_eq!(stack.backends.order(), ["a"]);
    assert_eq!(stack.conditions(), [Condition::Open; 2]);
}

async fn replay_budget_is_returned(deployment: Deployment) {
    let limits = ReplayLimits::default().total(2000);
    let stack = Stack::builder([("a", 1), ("c", 2)]).limits(limits).build(
        deployment,
        |label, _| match label {
            "c" => Reply::status(200),
            _ => Reply::status(429).header("retry-after-ms", 100),
        },
    );
    for _ in 0..10 {
        assert_eq!(
            stack.send_body(vec![7; 1000]).await.unwrap().summary(),
            (200, "c", 2)
        );
        tokio::time::advance(10 * SECOND).await;
    }
}

//! Many requests at once: the backends that serve them, and the time until the best backend serves again.

use std::{collections::HashMap, time::Duration};

use spillover_tests::{
    on_every_deployment,
    stack::{Answer, Deployment, Reply, SECOND, Stack},
};
use tokio::time::{Instant, sleep_until};
use tower_spillover::{Backend, Condition};

on_every_deployment! {
    five_hundred_requests_leave_a_throttled_backend_alone_until_it_recovers
    concurrent_requests_are_all_served
    one_of_many_requests_probes
    draw_is_uniform_within_a_tier
    draw_follows_the_weights
}

const MS: Duration = Duration::from_millis(1);

/// Sends requests at this interval. Returns the answers and the duration of each.
async fn send(stack: &Stack, requests: u32, every: Duration) -> Vec<(Answer, Duration)> {
    let start = Instant::now();
    let send = |n| {
        let stack = stack.clone();
        async move {
            sleep_until(start + n * every).await;
            let start = Instant::now();
            (stack.send().await, Instant::now() - start)
        }
    };
    let sent: Vec<_> = (0..requests).map(|n| tokio::spawn(send(n))).collect();
    let mut answers = Vec::new();
    for answer in sent {
        answers.push(answer.await.unwrap());
    }
    answers
}

async fn five_hundred_requests_leave_a_throttled_backend_alone_until_it_recovers(
    deployment: Deployment,
) {
    let latency = 50 * MS;
    let start = Instant::now();
    // The first backend takes no request before 2 s are over.
    let stack =
        Stack::builder([("a", 1), ("b", 2), ("c", 3)]).build(deployment, move |label, _| {
            let is_throttled = label == "a" && Instant::now() < start + 2 * SECOND;
            let reply = if is_throttled {
                Reply::throttled(2)
            } else {
                Reply::status(200)
            };
            reply.after(latency)
        });

    let answers = send(&stack, 500, MS).await;
    assert!(answers.iter().all(|(answer, _)| answer.status == 200));
    assert_eq!(
        (stack.backends.count("b"), stack.backends.count("c")),
        (500, 0)
    );

    // The throttled backend received the requests before its first answer, and none after.
    let seen = stack.backends.seen();
    let at_a: Vec<_> = seen
        .iter()
        .filter(|seen| seen.backend == "a")
        .map(|seen| seen.at)
        .collect();
    assert!((50..=51).contains(&at_a.len()), "{} requests", at_a.len());
    assert!(at_a.iter().all(|at| *at <= start + latency));

    // A failover adds the round trip of the refusal, no more.
    let moved = answers.iter().filter(|(answer, _)| answer.attempts == 2);
    assert_eq!(moved.count(), at_a.len());
    assert!(
        answers
            .iter()
            .all(|(answer, took)| *took == answer.attempts * latency)
    );

    // The backend is used again 2 s after its last refusal.
    let opens = at_a[at_a.len() - 1] + latency + 2 * SECOND;
    sleep_until(opens - MS).await;
    assert_eq!(stack.send().await.summary(), (200, "b", 1));
    assert_eq!(stack.conditions()[0], Condition::Open);
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
}

async fn concurrent_requests_are_all_served(deployment: Deployment) {
    let stack =
        Stack::builder([("a", 1), ("b", 2), ("c", 3)]).build(deployment, |label, _| match label {
            "a" => Reply::throttled(2).after(50 * MS),
            _ => Reply::status(200).after(50 * MS),
        });
    let start = Instant::now();
    let answers = send(&stack, 500, Duration::ZERO).await;
    assert!(
        answers
            .iter()
            .all(|(answer, _)| answer.summary() == (200, "b", 2))
    );
    assert_eq!(Instant::now() - start, 100 * MS);

    // None of them calls it again before the time is over.
    send(&stack, 500, 3 * MS).await;
    assert_eq!(stack.backends.count("a"), 500);
}

async fn one_of_many_requests_probes(deployment: Deployment) {
    let stack =
        Stack::builder([("a", 1), ("b", 2)]).build(deployment, |label, nth| match (label, nth) {
            ("a", 1) => Reply::error("connection refused"),
            _ => Reply::status(200).after(50 * MS),
        });
    stack.send().await;
    sleep_until(Instant::now() + 10 * SECOND).await;
    let answers = send(&stack, 100, Duration::ZERO).await;
    let probes = answers
        .iter()
        .filter(|(answer, _)| answer.summary() == (200, "a", 1));
    assert_eq!(probes.count(), 1);
    assert_eq!(stack.backends.count("a"), 2);

    let answers = send(&stack, 100, Duration::ZERO).await;
    assert!(
        answers
            .iter()
            .all(|(answer, _)| answer.summary() == (200, "a", 1))
    );
}

/// Returns the number of requests that each backend gets.
async fn count_draws(stack: &Stack, requests: u32) -> HashMap<String, u32> {
    let mut drawn = HashMap::new();
    for (answer, _) in send(stack, requests, Duration::ZERO).await {
        *drawn.entry(answer.backend.unwrap()).or_default() += 1;
    }
    drawn
}

async fn draw_is_uniform_within_a_tier(deployment: Deployment) {
    let backends = [("a", 1), ("b", 1), ("c", 1), ("d", 2)];
    let stack = Stack::builder(backends).build(deployment, |_, _| Reply::status(200));
    let drawn = count_draws(&stack, 900).await;
    // 300 are expected; the standard deviation is 14.
    assert!(
        ["a", "b", "c"]
            .iter()
            .all(|label| (230..=370).contains(&drawn[*label])),
        "{drawn:?}"
    );
    assert!(!drawn.contains_key("d"));
}

async fn draw_follows_the_weights(deployment: Deployment) {
    let backend = |label: &str, weight| {
        let builder = Backend::builder(label).url(format!("https://{label}.example"));
        builder.weight(weight).build().unwrap()
    };
    let stack = Stack::over([backend("a", 1), backend("b", 3)])
        .build(deployment, |_, _| Reply::status(200));
    let drawn = count_draws(&stack, 1000).await;
    // 250 and 750 are expected; the standard deviation is 14.
    assert!((180..=320).contains(&drawn["a"]), "{drawn:?}");
}

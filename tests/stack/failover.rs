//! One backend refuses and another serves: when, how soon, and for how long.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request};
use spillover_tests::{
    on_deployments, on_every_deployment,
    stack::{Deployment, Reply, SECOND, Stack, settle},
};
use tokio::time::{Instant, advance};
use tower_spillover::{
    Affinity, Backend, Class,
    Condition::{Failing, Open, Throttled},
    Credential, Outcome,
};

on_every_deployment! {
    refusal_fails_over_at_once
    throttled_backend_is_used_again_after_its_cooldown
    one_probe_opens_a_failing_backend
    failed_probe_closes_the_backend_again
    slow_probe_opens_the_backend
    invalid_request_is_answered_by_the_first_backend
    refused_client_credential_is_answered_to_the_client
    each_tier_is_used_before_the_next
    each_backend_gets_its_own_target_and_credential
    each_attempt_has_its_own_timeout
    answer_of_the_last_backend_reaches_the_client
    affinity_chooses_the_backend_and_fails_over_unless_pinned
}

// The other deployments have no connections.
on_deployments! {
    [TonicChannels Gateway]
    broken_connection_fails_over
    idle_connection_that_ends_is_replaced
}

async fn refusal_fails_over_at_once(deployment: Deployment) {
    let refusals = [
        (Reply::throttled(2), Throttled(2 * SECOND)),
        (Reply::status(429), Throttled(10 * SECOND)),
        (
            Reply::status(429).header("retry-after-ms", 250),
            Throttled(SECOND / 4),
        ),
        (Reply::throttled(86_400), Throttled(60 * SECOND)),
        (Reply::status(500), Failing(10 * SECOND)),
        (
            Reply::status(503).header("retry-after", 3),
            Failing(3 * SECOND),
        ),
        (Reply::status(401), Failing(10 * SECOND)),
        (Reply::error("connection refused"), Failing(10 * SECOND)),
    ];
    for (refusal, condition) in refusals {
        let reply = refusal.clone();
        let stack = Stack::builder([("ptu", 1), ("payg", 2)]).build(deployment, move |label, _| {
            if label == "ptu" {
                reply.clone()
            } else {
                Reply::status(200)
            }
        });
        let start = Instant::now();
        let answer = stack.send().await;
        assert_eq!(answer.summary(), (200, "payg", 2), "{refusal:?}");
        assert_eq!(answer.outcome, Some(Outcome::success()));
        assert_eq!(Instant::now(), start, "{refusal:?}");
        assert_eq!(stack.conditions(), [condition, Open], "{refusal:?}");

        // The next request does not call it again.
        assert_eq!(
            stack.send().await.summary(),
            (200, "payg", 1),
            "{refusal:?}"
        );
    }
}

async fn throttled_backend_is_used_again_after_its_cooldown(deployment: Deployment) {
    let stack = Stack::builder([("ptu", 1), ("payg", 2)]).build(deployment, |label, nth| {
        match (label, nth) {
            ("ptu", 1) => Reply::throttled(2),
            _ => Reply::status(200),
        }
    });
    assert_eq!(stack.send().await.summary(), (200, "payg", 2));
    advance(2 * SECOND - Duration::from_millis(1)).await;
    assert_eq!(stack.send().await.summary(), (200, "payg", 1));
    advance(Duration::from_millis(1)).await;
    assert_eq!(stack.send().await.summary(), (200, "ptu", 1));
}

async fn one_probe_opens_a_failing_backend(deployment: Deployment) {
    let stack = Stack::builder([("ptu", 1), ("payg", 2)]).build(deployment, |label, nth| {
        match (label, nth) {
            ("ptu", 1) => Reply::status(500),
            ("ptu", 2) => Reply::status(200).after(SECOND),
            _ => Reply::status(200),
        }
    });
    stack.send().await;
    advance(10 * SECOND).await;

    let probe = stack.start("question").await;
    assert_eq!(stack.backends.count("ptu"), 2);
    // While it is in flight, the others stay where they are.
    for _ in 0..3 {
        assert_eq!(stack.send().await.summary(), (200, "payg", 1));
    }
    let answer = probe.await.unwrap().unwrap();
    assert_eq!(answer.summary(), (200, "ptu", 1));
    assert_eq!(stack.conditions(), [Open; 2]);
    assert_eq!(stack.send().await.summary(), (200, "ptu", 1));
}

async fn failed_probe_closes_the_backend_again(deployment: Deployment) {
    let stack =
        Stack::builder([("ptu", 1), ("payg", 2)]).build(deployment, |label, _| match label {
            "ptu" => Reply::status(500),
            _ => Reply::status(200),
        });
    for probes in 1..4 {
        assert_eq!(stack.send().await.summary(), (200, "payg", 2));
        assert_eq!(stack.send().await.summary(), (200, "payg", 1));
        assert_eq!(stack.backends.count("ptu"), probes);
        advance(10 * SECOND).await;
    }
}

async fn slow_probe_opens_the_backend(deployment: Deployment) {
    let script = |label: &str, nth| match (label, nth) {
        ("ptu", 1) => Reply::status(500),
        ("ptu", _) => Reply::status(200).after(25 * SECOND),
        _ => Reply::status(200),
    };
    let stack = Stack::builder([("ptu", 1), ("payg", 2)]).build(deployment, script);
    stack.send().await;
    advance(10 * SECOND).await;
    // Meanwhile other requests come, and some of them probe too.
    for _ in 0..26 {
        let stack = stack.clone();
        tokio::spawn(async move { stack.send().await });
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(stack.conditions(), [Open; 2]);
}

async fn invalid_request_is_answered_by_the_first_backend(deployment: Deployment) {
    for status in [400, 404, 409, 422] {
        let stack = Stack::builder([("ptu", 1), ("payg", 2)]).build(deployment, move |_, _| {
            Reply::status(status).header("retry-after", 7)
        });
        let answer = stack.send().await;
        assert_eq!(answer.summary(), (status, "ptu", 1));
        assert_eq!(answer.outcome.as_ref().unwrap().class(), Class::ClientError);
        assert_eq!(answer.comes_back_after(), [Some("7"), None]);
        assert_eq!(stack.conditions(), [Open; 2]);
    }
}

async fn refused_client_credential_is_answered_to_the_client(deployment: Deployment) {
    let backend = |label: &str| {
        let builder = Backend::builder(label).url(format!("https://{label}.example"));
        builder.build().unwrap()
    };
    let stack =
        Stack::over([backend("ptu"), backend("payg")]).build(deployment, |_, _| Reply::status(401));
    assert_eq!(stack.send().await.summary().2, 1);
    assert_eq!(stack.conditions(), [Open; 2]);
}

async fn each_tier_is_used_before_the_next(deployment: Deployment) {
    let stack =
        Stack::builder([("c", 30), ("a", 10), ("b", 20)]).build(
            deployment,
            |label, _| match label {
                "c" => Reply::status(200),
                _ => Reply::throttled(5),
            },
        );
    assert_eq!(stack.send().await.summary(), (200, "c", 3));
    assert_eq!(stack.backends.order(), ["a", "b", "c"]);
}

async fn each_backend_gets_its_own_target_and_credential(deployment: Deployment) {
    let ptu = Backend::builder("ptu")
        .url("https://ptu.example/base")
        .priority(1);
    let ptu = ptu
        .deployment("gpt-4o-ptu")
        .credential(Credential::api_key("key-of-ptu").unwrap());
    let payg = Backend::builder("payg")
        .url("http://payg.example:8080")
        .priority(2);
    let stack = Stack::over([ptu.build().unwrap(), payg.build().unwrap()])
        .build(deployment, |label, _| {
            Reply::status(if label == "ptu" { 429 } else { 200 })
        });

    let request =
        Request::post("https://evil.example/openai/deployments/gpt-4o/chat?api-version=1")
            .header("host", "evil.example")
            .header("authorization", "Bearer of the client")
            .header("x-request-id", "7");
    stack
        .call(request.body(Body::from("question")).unwrap())
        .await
        .unwrap();

    let [first, second] = &stack.backends.seen()[..] else {
        panic!("two attempts");
    };
    assert_eq!(
        first.uri,
        "https://ptu.example/base/openai/deployments/gpt-4o-ptu/chat?api-version=1"
    );
    // Over HTTP/1.1 the client writes it.
    let host =
        |host| matches!(deployment, Deployment::Gateway).then(|| HeaderValue::from_static(host));
    let host_of = |headers: &HeaderMap| headers.get("host").cloned();
    assert_eq!(host_of(&first.headers), host("ptu.example"));
    assert_eq!(first.headers["api-key"], "key-of-ptu");
    assert!(!first.headers.contains_key("authorization"));

    // Nothing of the first attempt is left: this backend has no credential, so the client's passes.
    assert_eq!(
        second.uri,
        "http://payg.example:8080/openai/deployments/gpt-4o/chat?api-version=1"
    );
    assert_eq!(host_of(&second.headers), host("payg.example:8080"));
    assert_eq!(second.headers["authorization"], "Bearer of the client");
    assert!(!second.headers.contains_key("api-key"));

    for seen in [first, second] {
        assert_eq!(seen.headers["x-request-id"], "7");
        assert_eq!(seen.body, "question");
    }
}

async fn each_attempt_has_its_own_timeout(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2), ("c", 3)])
        .timeout(5 * SECOND)
        .build(deployment, |label, _| match label {
            "c" => Reply::status(200).after(4 * SECOND),
            _ => Reply::stall(),
        });
    let start = Instant::now();
    assert_eq!(stack.send().await.summary(), (200, "c", 3));
    assert_eq!(Instant::now() - start, 14 * SECOND);
    // The first was closed 9 s ago, the second 4 s ago.
    assert_eq!(
        stack.conditions(),
        [Failing(SECOND), Failing(6 * SECOND), Open]
    );
    assert_eq!(
        (stack.backends.cancelled(), stack.backends.in_flight()),
        (2, 0)
    );
}

async fn answer_of_the_last_backend_reaches_the_client(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |label, _| match label {
        "a" => Reply::status(500),
        _ => Reply::error("connection refused"),
    });
    stack.send_body("question").await.unwrap_err();
    assert_eq!(stack.backends.order(), ["a", "b"]);
    assert_eq!(stack.conditions(), [Failing(10 * SECOND); 2]);
}

async fn affinity_chooses_the_backend_and_fails_over_unless_pinned(deployment: Deployment) {
    let builder = Stack::builder([("a", 1), ("b", 2), ("c", 3)]);
    let stack = builder.build(deployment, |label, _| match label {
        "b" => Reply::throttled(2),
        _ => Reply::status(200),
    });
    let belonging = |affinity: Affinity| {
        let mut request = Request::post("/v1/files").body(Body::from("{}")).unwrap();
        request.extensions_mut().insert(affinity);
        stack.send_request(request)
    };
    let to_b = Affinity::to_backend("b");
    let answer = belonging(to_b.pinned()).await.unwrap();
    assert_eq!(answer.summary(), (429, "b", 1));
    assert_eq!(answer.comes_back_after(), [Some("2"), Some("2000")]);

    advance(2 * SECOND).await;
    let answer = belonging(to_b).await.unwrap();
    assert_eq!(answer.summary(), (200, "a", 2));
    assert_eq!(stack.backends.order(), ["b", "b", "a"]);
}

async fn broken_connection_fails_over(deployment: Deployment) {
    // The end of an HTTP/2 connection affects all of its streams: the request goes to the same backend once more.
    let times = match deployment {
        Deployment::TonicChannels => 2,
        _ => 1,
    };
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, move |label, nth| {
        if label == "a" && nth <= times {
            Reply::stall()
        } else {
            Reply::status(200)
        }
    });
    let sent = stack.start("question").await;
    for _ in 0..times {
        settle().await;
        assert_eq!(stack.backends.in_flight(), 1);
        stack.backends.hang_up();
    }
    let answer = sent.await.unwrap().unwrap();
    assert_eq!(answer.summary(), (200, "b", times as u32 + 1));
    assert_eq!(stack.conditions(), [Failing(10 * SECOND), Open]);
    assert_eq!(
        (stack.backends.in_flight(), stack.backends.cancelled()),
        (0, times)
    );

    advance(10 * SECOND).await;
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
    assert_eq!(stack.conditions(), [Open; 2]);
}

async fn idle_connection_that_ends_is_replaced(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]).build(deployment, |_, _| Reply::status(200));
    for _ in 0..2 {
        assert_eq!(stack.send().await.summary(), (200, "a", 1));
        stack.backends.hang_up();
        settle().await;
    }
}

//! Every backend is throttled: the client's answer, and the effect of `WHEN_EXHAUSTED` on the next request.

use axum::body::Body;
use serde_json::Value;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Answer, Gateway, GatewayBuilder, Program, answer, behaving, request, soon},
    for_both_gateways, production,
};

for_both_gateways!(
    last_429_says_when_the_pool_reopens,
    request_that_finds_all_closed_is_forwarded_to_the_first_backend,
);

/// Starts backends that throttle with these header fields.
async fn throttling<const N: usize>(fields: [(&str, &str); N]) -> Vec<MockUpstream> {
    let mut backends = Vec::new();
    for field in fields {
        backends.push(behaving(answer(429, &[field])).await);
    }
    backends
}

/// Returns a gateway in front of these backends, one per tier.
fn in_front_of(program: Program, backends: &[MockUpstream]) -> GatewayBuilder {
    let labels = ["first", "second", "third"];
    let tiers = labels.into_iter().zip(1..).zip(backends);
    tiers.fold(
        program.gateway(),
        |gateway, ((label, priority), backend)| gateway.backend(label, priority, backend.url()),
    )
}

async fn ask(gateway: &Gateway) -> Answer {
    gateway.post("/v1/chat/completions", "question").await
}

/// Returns the wait of a 429 in milliseconds, and checks that `retry-after` is the same, rounded up.
fn wait_of(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429);
    let number = |name| answer.header(name)?.parse::<u64>().ok();
    let ms = number("retry-after-ms").expect("a number");
    assert_eq!(number("retry-after"), Some(ms.div_ceil(1_000)));
    ms
}

async fn last_429_says_when_the_pool_reopens(program: Program) {
    for fields in [
        [("retry-after", "20"), ("retry-after", "40")],
        [("retry-after", "40"), ("retry-after", "20")],
        [("retry-after-ms", "19500"), ("retry-after", "40")],
    ] {
        let backends = throttling(fields).await;
        let gateway = in_front_of(program, &backends).start().await;

        let answer = ask(&gateway).await;
        assert_eq!(answer.backend(), "second");
        assert!(answer.text().contains("of the backend"));
        assert!((1..=20_000).contains(&wait_of(&answer)), "{answer:?}");
    }
}

async fn request_that_finds_all_closed_is_forwarded_to_the_first_backend(program: Program) {
    let backends = throttling([("retry-after", "40"), ("retry-after", "20")]).await;
    let gateway = in_front_of(program, &backends).start().await;
    ask(&gateway).await;

    // The backend's refusal reaches the client, except that the wait is the pool's.
    let refused = ask(&gateway).await;
    assert_eq!(refused.backend(), "first");
    assert!(refused.text().contains("of the backend"));
    assert!(wait_of(&refused) <= 20_000, "{refused:?}");

    // The backend's success reaches the client too.
    backends[0].handle().set_behavior(Behavior::echo());
    let served = ask(&gateway).await;
    assert_eq!((served.status, served.backend()), (200, "first"));

    let requests = gateway.wait_for_requests(3).await;
    let attempts = requests.iter().filter_map(|line| line["attempts"].as_u64());
    assert_eq!(attempts.sum::<u64>(), 2 + 1 + 1);
    assert_eq!(backends[1].handle().stats().received, 1);
}

#[tokio::test]
async fn reject_answers_at_once_in_the_clients_format() {
    let backends = throttling([("retry-after", "40"), ("retry-after", "20")]).await;
    let gateway = in_front_of(production!(), &backends)
        .env("WHEN_EXHAUSTED", "reject")
        .start()
        .await;
    ask(&gateway).await;

    let rejected = ask(&gateway).await;
    assert!(wait_of(&rejected) <= 20_000, "{rejected:?}");
    let error = rejected.error();
    assert_eq!(error["code"], "rate_limit_exceeded");
    let message = error["message"].as_str().unwrap();
    let seconds = rejected.header("retry-after").unwrap();
    assert!(
        message.contains(&format!("after {seconds} seconds")),
        "{message}"
    );

    // No backend was called, and none is named.
    assert_eq!(rejected.backend(), "");
    assert!(
        backends
            .iter()
            .all(|backend| backend.handle().stats().received == 1)
    );
    let line = gateway.wait_for_line(|line| line["attempts"] == 0).await;
    assert_eq!(
        (&line["status"], &line["backend"]),
        (&429.into(), &Value::Null)
    );
}

#[tokio::test]
async fn reject_still_asks_a_backend_that_only_fails() {
    let backends = throttling([("retry-after", "40")]).await;
    let failing = behaving(answer(500, &[])).await;
    let gateway = in_front_of(production!(), &backends)
        .backend("failing", 9, failing.url())
        .env("WHEN_EXHAUSTED", "reject")
        .start()
        .await;
    // Both refused the first request: the one at its limit opens again.
    assert!(wait_of(&ask(&gateway).await) <= 40_000);

    failing.handle().set_behavior(Behavior::echo());
    let served = ask(&gateway).await;
    assert_eq!((served.status, served.backend()), (200, "failing"));
}

#[tokio::test]
async fn wait_holds_a_request_until_the_first_backend_opens() {
    let backends = throttling([("retry-after", "40"), ("retry-after-ms", "800")]).await;
    let gateway = in_front_of(production!(), &backends)
        .env("WHEN_EXHAUSTED", "wait:10s")
        .start()
        .await;
    let second = backends[1].handle();
    let (served, ()) = tokio::join!(ask(&gateway), async {
        soon(second.wait_for(|stats| stats.received == 1)).await;
        second.set_behavior(Behavior::echo());
    });
    assert_eq!((served.status, served.backend()), (200, "second"));
    assert_eq!(served.body, "question");

    assert_eq!(backends[0].handle().stats().received, 1);
    let requests = second.requests();
    assert_eq!(requests.len(), 2);
    assert!((requests[1].at - requests[0].at).as_millis() >= 800);
    // The request was not sent again before the wait was over.
    gateway.wait_for_line(|line| line["attempts"] == 3).await;
}

#[tokio::test]
async fn wait_does_not_begin_when_it_would_be_in_vain() {
    let backends = throttling([("retry-after", "20")]).await;
    let gateway = in_front_of(production!(), &backends)
        .env("WHEN_EXHAUSTED", "wait:2s")
        .start()
        .await;
    ask(&gateway).await;

    let rejected = ask(&gateway).await;
    assert!(wait_of(&rejected) > 2_000, "it was answered when it came");
    assert_eq!(rejected.error()["code"], "rate_limit_exceeded");
    assert_eq!(backends[0].handle().stats().received, 1);
}

#[tokio::test]
async fn client_that_goes_away_while_it_waits_costs_no_attempt() {
    let backends = throttling([("retry-after-ms", "2000")]).await;
    let gateway = in_front_of(production!(), &backends)
        .env("WHEN_EXHAUSTED", "wait:1900ms")
        .env("RUST_LOG", "debug")
        .start()
        .await;
    ask(&gateway).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;

    let client = gateway.http2();
    let waiting = tokio::spawn(async move {
        client
            .open(request("POST", "/v1/chat/completions", Body::empty()))
            .await
    });
    gateway
        .wait_for_line(|line| line["message"] == "waiting for a backend")
        .await;
    waiting.abort();
    gateway
        .wait_for_line(|line| line["end"] == "cancelled" && line["attempts"] == 0)
        .await;

    backends[0].handle().set_behavior(Behavior::echo());
    assert_eq!(ask(&gateway).await.status, 200);
    assert_eq!(
        soon(backends[0].handle().wait_for(|stats| stats.in_flight == 0))
            .await
            .received,
        2
    );
}

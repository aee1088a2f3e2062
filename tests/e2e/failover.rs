//! A backend refuses, fails or cannot be reached: the same request goes to the next one. The client sees only the name
//! of the backend that answered.

use std::time::Duration;

use axum::body::Body;
use serde_json::Value;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{
        Answer, Gateway, Program, RefusingPort, WireUpstream, answer, behaving, healthy, request,
        soon,
    },
    for_both_gateways, production,
};

for_both_gateways!(
    a_429_closes_the_backend_for_as_long_as_retry_after_says,
    retry_after_ms_is_more_exact_than_retry_after,
    a_429_that_does_not_say_how_long_closes_for_ten_seconds,
    a_500_moves_on,
    a_503_says_in_retry_after_for_how_long,
    port_that_refuses_moves_on,
    backend_that_does_not_answer_in_time_moves_on,
    refused_credential_of_the_backends_own_moves_on,
    refused_credential_of_the_client_is_the_clients_to_see,
    request_at_fault_is_not_tried_elsewhere,
    every_backend_is_tried_once_in_the_order_of_the_tiers,
    refusal_whose_body_never_comes_holds_nothing_up,
    connection_that_the_backend_closed_while_it_was_idle_costs_nothing,
    connection_that_carried_a_refusal_is_used_again,
    client_gets_502_when_no_backend_can_be_reached,
    client_gets_502_when_every_backend_breaks_off,
    client_gets_504_when_no_backend_answers_in_time,
    last_answer_of_a_backend_passes_unchanged_when_all_fail,
    backend_that_recovers_regains_its_priority,
    failing_backend_is_tried_again_and_serves_again,
    backends_of_one_priority_share_the_requests,
);

/// Starts a gateway in front of `url` and, below it, of `next`.
async fn in_front_of(program: Program, url: String, next: &MockUpstream) -> Gateway {
    let gateway = program.gateway().backend("first", 1, url);
    gateway.backend("next", 2, next.url()).start().await
}

/// Checks that the next backend answers when the first misbehaves, and that the first is then not called. Returns the
/// log line with the reason.
async fn assert_failover(program: Program, behavior: impl Into<Behavior>) -> Value {
    let (first, next) = (behaving(behavior).await, healthy().await);
    let gateway = in_front_of(program, first.url(), &next).await;

    for (number, attempts) in [(1, 2), (2, 1)] {
        let answer = gateway.post("/v1/chat/completions", "question").await;
        assert_eq!((answer.status, answer.backend()), (200, "next"));
        assert_eq!(answer.body, "question");
        let line = gateway.wait_for_requests(number).await.pop();
        assert_eq!(line.expect("a line")["attempts"], attempts);
    }

    assert_eq!(first.handle().stats().received, 1);
    assert_eq!(next.handle().stats().served, 2);
    let mut closed = gateway.wait_for_closed(2).await;
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert_eq!(closed[0]["backend"], "first");
    closed.remove(0)
}

async fn a_429_closes_the_backend_for_as_long_as_retry_after_says(program: Program) {
    let closed = assert_failover(program, answer(429, &[("retry-after", "7")])).await;
    assert_eq!(closed["class"], "throttled");
    assert_eq!(closed["source"], "retry-after");
    assert_eq!(closed["cooldown_ms"], 7_000);
}

async fn retry_after_ms_is_more_exact_than_retry_after(program: Program) {
    let fields = [("retry-after", "7"), ("retry-after-ms", "6500")];
    let closed = assert_failover(program, answer(429, &fields)).await;
    assert_eq!(closed["source"], "retry-after-ms");
    assert_eq!(closed["cooldown_ms"], 6_500);
}

async fn a_429_that_does_not_say_how_long_closes_for_ten_seconds(program: Program) {
    let closed = assert_failover(program, Behavior::status(429)).await;
    assert_eq!(closed["source"], "default");
    assert_eq!(closed["cooldown_ms"], 10_000);
}

async fn a_500_moves_on(program: Program) {
    let closed = assert_failover(program, answer(500, &[])).await;
    assert_eq!(closed["class"], "failing");
}

async fn a_503_says_in_retry_after_for_how_long(program: Program) {
    let closed = assert_failover(program, answer(503, &[("retry-after", "20")])).await;
    assert_eq!(closed["class"], "capacity");
    assert_eq!(closed["cooldown_ms"], 20_000);
}

#[tokio::test]
async fn connection_that_is_reset_before_the_answer_moves_on() {
    let closed = assert_failover(production!(), Behavior::reset()).await;
    assert_eq!(closed["class"], "failing");
}

#[tokio::test]
async fn answer_that_breaks_off_in_its_head_moves_on() {
    let closed = assert_failover(production!(), Behavior::cut_head()).await;
    assert_eq!(closed["class"], "failing");
}

async fn port_that_refuses_moves_on(program: Program) {
    let (refusing, next) = (RefusingPort::bind(), healthy().await);
    let gateway = in_front_of(program, refusing.url(), &next).await;

    let answer = gateway.get("/v1/models").await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_eq!(gateway.wait_for_closed(1).await[0]["class"], "failing");
}

async fn backend_that_does_not_answer_in_time_moves_on(program: Program) {
    let (stalled, next) = (behaving(Behavior::stall()).await, healthy().await);
    let gateway = program
        .gateway()
        .backend("stalled", 1, stalled.url())
        .backend("next", 2, next.url())
        .env("HTTP_TIMEOUT_SECONDS", "0.3")
        .start()
        .await;

    let answer = gateway.post("/v1/chat/completions", "question").await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_eq!(answer.body, "question");
    assert_eq!(gateway.wait_for_closed(1).await[0]["class"], "failing");
    if program.is_production() {
        let failed = gateway.wait_for_line(|line| line["message"] == "attempt failed");
        assert_eq!(failed.await["error"], "no response head within 0.3 s");
    }
    // The dropped attempt does not continue in the background.
    soon(stalled.handle().wait_for(|stats| stats.cancelled == 1)).await;
}

async fn refused_credential_of_the_backends_own_moves_on(program: Program) {
    let first = MockUpstream::builder()
        .api_key("another key")
        .start()
        .await
        .unwrap();
    let next = healthy().await;
    let gateway = program
        .gateway()
        .backend("first", 1, first.url())
        .key("first", "a key")
        .backend("next", 2, next.url())
        .start()
        .await;

    let answer = gateway.get("/v1/models").await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    let closed = gateway.wait_for_closed(1).await;
    assert_eq!(
        (&closed[0]["backend"], &closed[0]["class"]),
        (&"first".into(), &"credential".into())
    );
}

async fn refused_credential_of_the_client_is_the_clients_to_see(program: Program) {
    let first = MockUpstream::builder()
        .api_key("another key")
        .start()
        .await
        .unwrap();
    let next = healthy().await;
    let gateway = in_front_of(program, first.url(), &next).await;

    let mut request = request("GET", "/v1/models", Body::empty());
    request
        .headers_mut()
        .insert("api-key", "a key".parse().unwrap());
    let answer = gateway.send(request).await;

    assert_eq!((answer.status, answer.backend()), (401, "first"));
    assert!(
        answer.text().contains("invalid subscription key"),
        "{}",
        answer.text()
    );
    assert_eq!(next.handle().stats().received, 0);
    assert!(gateway.wait_for_closed(1).await.is_empty());
}

async fn request_at_fault_is_not_tried_elsewhere(program: Program) {
    let (first, next) = (healthy().await, healthy().await);
    let gateway = in_front_of(program, first.url(), &next).await;

    for status in [400, 403, 404, 409, 415, 422] {
        first.handle().push(answer(status, &[]));
        let answer = gateway.post("/v1/chat/completions", "question").await;
        assert_eq!((answer.status, answer.backend()), (status, "first"));
        assert!(answer.text().contains("of the backend"));
    }
    assert_eq!(next.handle().stats().received, 0);
    assert!(gateway.wait_for_closed(6).await.is_empty());
}

async fn every_backend_is_tried_once_in_the_order_of_the_tiers(program: Program) {
    let refusing = RefusingPort::bind();
    let throttled = behaving(answer(429, &[])).await;
    let third = healthy().await;
    let gateway = program
        .gateway()
        .backend("c", 3, third.url())
        .backend("b", 2, throttled.url())
        .backend("a", 1, refusing.url())
        .start()
        .await;

    let answer = gateway.post("/v1/chat/completions", "question").await;
    assert_eq!((answer.status, answer.backend()), (200, "c"));
    assert_eq!(gateway.wait_for_requests(1).await[0]["attempts"], 3);
    let closed = gateway.wait_for_closed(1).await;
    let closed: Vec<_> = closed
        .iter()
        .map(|line| line["backend"].as_str().unwrap())
        .collect();
    assert_eq!(closed, ["a", "b"]);
}

async fn refusal_whose_body_never_comes_holds_nothing_up(program: Program) {
    let (backend, next) = (WireUpstream::bind().await, healthy().await);
    let gateway = in_front_of(program, backend.url(), &next).await;
    let asking = gateway.post("/v1/chat/completions", "question");
    let (answer, mut server) = tokio::join!(asking, async {
        let mut server = backend.accept().await;
        server.read_until("question").await;
        server
            .send("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 1000\r\n\r\n")
            .await;
        server
    });
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    // Later requests do not wait for it either.
    server.send("half").await;
    assert_eq!(server.read_to_end().await, "");
}

async fn connection_that_the_backend_closed_while_it_was_idle_costs_nothing(program: Program) {
    let (backend, next) = (WireUpstream::bind().await, healthy().await);
    let gateway = in_front_of(program, backend.url(), &next).await;
    for _ in 0..20 {
        let asking = gateway.post("/v1/chat/completions", "question");
        let (answer, ()) = tokio::join!(asking, async {
            let mut server = backend.accept().await;
            server.read_until("question").await;
            server
                .send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer")
                .await;
        });
        assert_eq!((answer.status, answer.backend()), (200, "first"));
    }
    assert_eq!(next.handle().stats().received, 0);
}

async fn connection_that_carried_a_refusal_is_used_again(program: Program) {
    let first = behaving(answer(429, &[("retry-after-ms", "1")])).await;
    let next = healthy().await;
    let gateway = in_front_of(program, first.url(), &next).await;
    let asked_often = async {
        while first.handle().stats().throttled < 5 {
            assert_eq!(gateway.get("/v1/models").await.backend(), "next");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(asked_often).await;
    // A connection may not be back in the pool yet when the next request comes.
    let connections = first.handle().stats().connections;
    assert!(connections < 5, "{connections} connections");
}

/// Asserts that the gateway answers by itself, without addresses. The production gateway uses the format of the OpenAI
/// API.
fn assert_local_error(program: Program, answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status);
    if program.is_production() {
        let error = answer.error();
        assert_eq!(error["code"], code);
        assert_eq!(error["type"], "server_error");
    }
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
}

async fn client_gets_502_when_no_backend_can_be_reached(program: Program) {
    let refusing = [RefusingPort::bind(), RefusingPort::bind()];
    let gateway = program
        .gateway()
        .backend("a", 1, refusing[0].url())
        .backend("b", 1, refusing[1].url())
        .start()
        .await;

    let answer = gateway.post("/v1/chat/completions", "question").await;
    assert_local_error(program, &answer, 502, "bad_gateway");
    assert_eq!(gateway.wait_for_closed(1).await.len(), 2);
    if program.is_production() {
        assert_eq!(gateway.wait_for_requests(1).await[0]["attempts"], 2);
    }
}

async fn client_gets_502_when_every_backend_breaks_off(program: Program) {
    let backend = behaving(Behavior::reset()).await;
    let gateway = program
        .gateway()
        .backend("a", 1, backend.url())
        .start()
        .await;
    let answer = gateway.post("/v1/chat/completions", "question").await;
    assert_local_error(program, &answer, 502, "bad_gateway");
}

async fn client_gets_504_when_no_backend_answers_in_time(program: Program) {
    let stalled = behaving(Behavior::stall()).await;
    let gateway = program
        .gateway()
        .backend("a", 1, stalled.url())
        .backend("b", 2, stalled.url())
        .env("HTTP_TIMEOUT_SECONDS", "0.3")
        .start()
        .await;

    let answer = gateway.post("/v1/chat/completions", "question").await;
    assert_local_error(program, &answer, 504, "gateway_timeout");
    assert_eq!(stalled.handle().stats().received, 2);
}

async fn last_answer_of_a_backend_passes_unchanged_when_all_fail(program: Program) {
    let (first, last) = (behaving(answer(502, &[])).await, healthy().await);
    last.handle()
        .set_behavior(answer(500, &[("x-request-id", "42")]));
    let gateway = in_front_of(program, first.url(), &last).await;

    let answer = gateway.post("/v1/chat/completions", "question").await;
    assert_eq!((answer.status, answer.backend()), (500, "next"));
    assert_eq!(answer.header("x-request-id"), Some("42"));
    assert!(answer.text().contains("of the backend"));
}

async fn backend_that_recovers_regains_its_priority(program: Program) {
    let (first, next) = (healthy().await, healthy().await);
    first
        .handle()
        .push(answer(429, &[("retry-after-ms", "500")]));
    let gateway = in_front_of(program, first.url(), &next).await;

    let spilled = gateway.get("/v1/models").await;
    assert_eq!((spilled.status, spilled.backend()), (200, "next"));
    soon(async {
        while gateway.get("/v1/models").await.backend() != "first" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;

    let requests = first.handle().requests();
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(500));
    // The client keeps its connection.
    assert_eq!(gateway.get("/v1/models").await.backend(), "first");
}

async fn failing_backend_is_tried_again_and_serves_again(program: Program) {
    let (mut first, next) = (healthy().await, healthy().await);
    first.shutdown().await;
    let gateway = in_front_of(program, first.url(), &next).await;
    assert_eq!(gateway.get("/v1/models").await.backend(), "next");

    // No other backend is left, so the failing one is tried.
    first.restart().await.unwrap();
    next.handle().push(answer(429, &[("retry-after", "30")]));
    let answer = gateway.get("/v1/models").await;
    assert_eq!((answer.status, answer.backend()), (200, "first"));

    let opened = gateway.wait_for_line(|line| line["message"] == "backend open again");
    assert_eq!(opened.await["backend"], "first");
    assert_eq!(gateway.get("/v1/models").await.backend(), "first");
}

async fn backends_of_one_priority_share_the_requests(program: Program) {
    let (a, b) = (healthy().await, healthy().await);
    let gateway = program
        .gateway()
        .backend("a", 1, a.url())
        .backend("b", 1, b.url());
    let gateway = gateway.start().await;

    for _ in 0..40 {
        gateway.get("/v1/models").await;
    }
    // A fair draw leaves one of them out once in 2^39 runs.
    let served = [a.handle().stats().served, b.handle().stats().served];
    assert_eq!(served.iter().sum::<u64>(), 40);
    assert!(served.iter().all(|&served| served > 0), "{served:?}");
}

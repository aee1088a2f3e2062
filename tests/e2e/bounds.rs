//! Limits and timeouts of a pool, and the meaning of statuses in it.

use std::time::Duration;

use http_body_util::BodyExt;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{
        Gateway, Wire, WireUpstream, answer, backend, behaving, chunked, healthy, json, pool,
        request, soon,
    },
    gateway,
};
use tokio::time::Instant;

const CHAT: &str = "/v1/chat/completions";

/// Starts a gateway with one pool of these backends in order of priority.
async fn gateway_with(rest: &str, backends: &[(&str, &MockUpstream)]) -> Gateway {
    let mut text = pool("only", rest);
    for (priority, (name, mock)) in backends.iter().enumerate() {
        let priority = format!("priority = {}", priority + 1);
        text += &backend(name, &mock.url(), &priority);
    }
    gateway!().config(&text).start().await
}

fn received(mock: &MockUpstream) -> u64 {
    mock.handle().stats().received
}

#[tokio::test]
async fn body_over_the_limit_is_refused_with_and_without_a_length() {
    let mock = healthy().await;
    let gateway = gateway_with("limits.body = \"1KiB\"", &[("only", &mock)]).await;
    let fits = "x".repeat(1024);
    assert_eq!(gateway.post(CHAT, fits.clone()).await.text(), fits);
    let one_more = "x".repeat(1025);
    let announced = gateway.post(CHAT, one_more.clone()).await;
    assert_eq!(announced.status, 413);
    assert_eq!(announced.error()["code"], "request_too_large");
    assert_eq!(received(&mock), 1);

    let chunks = || chunked(one_more.as_bytes().chunks(100).map(<[u8]>::to_vec));
    let post = |path, body| request("POST", path, body);
    for (path, kind) in [
        (CHAT, "invalid_request_error"),
        ("/v1/messages", "request_too_large"),
    ] {
        let streamed = gateway.send(post(path, chunks())).await;
        assert_eq!(streamed.status, 413, "{}", streamed.text());
        assert_eq!(streamed.json()["error"]["type"], kind);
        let read_before = gateway.send(json(path, chunks())).await;
        assert_eq!(read_before.status, 413);
    }
    // The backend does not count as failing.
    assert_eq!(
        gateway.wait_for_closed(6).await,
        [] as [serde_json::Value; 0]
    );
    assert_eq!(gateway.get("/v1/models").await.status, 200);
}

#[tokio::test]
async fn slow_backend_is_given_up_for_another() {
    let (stalled, other) = (behaving(Behavior::stall()).await, healthy().await);
    let rest = "timeouts.response_head = \"150ms\"";
    let gateway = gateway_with(rest, &[("stalled", &stalled), ("other", &other)]).await;
    let answer = gateway.send(json(CHAT, "{}")).await;
    assert_eq!(answer.backend(), "other");
    let closed = gateway.wait_for_closed(1).await;
    assert_eq!(
        (&closed[0]["backend"], closed.len()),
        (&"stalled".into(), 1)
    );
}

#[tokio::test]
async fn stalled_response_is_broken_off() {
    let mock = behaving(Behavior::slow_stream(2, Duration::from_secs(100))).await;
    let gateway = gateway_with("timeouts.idle = \"150ms\"", &[("only", &mock)]).await;
    let response = gateway.open(json(CHAT, "{}")).await;
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    assert!(soon(body.frame()).await.unwrap().is_ok());
    assert!(soon(body.frame()).await.unwrap().is_err());
    assert_eq!(gateway.wait_for_requests(1).await[0]["end"], "broken");

    // A stream that progresses is not broken off.
    mock.handle()
        .set_behavior(Behavior::slow_stream(8, Duration::from_millis(50)));
    let whole = gateway.send(json(CHAT, "{}")).await;
    assert!(
        whole.text().ends_with("data: [DONE]\n\n"),
        "{}",
        whole.text()
    );
}

#[tokio::test]
async fn response_beyond_the_total_time_is_broken_off() {
    let mock = behaving(Behavior::slow_stream(10_000, Duration::from_millis(20))).await;
    let gateway = gateway_with("timeouts.total = \"400ms\"", &[("only", &mock)]).await;
    let begun = Instant::now();
    let mut body = gateway.open(json(CHAT, "{}")).await.into_body();
    while soon(body.frame()).await.unwrap().is_ok() {}
    let took = Instant::now() - begun;
    assert!(took >= Duration::from_millis(400), "{took:?}");
    assert_eq!(gateway.wait_for_requests(1).await[0]["end"], "broken");

    mock.handle().set_behavior(Behavior::stall());
    let answer = gateway.send(json(CHAT, "{}")).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.error()["code"], "gateway_timeout");
}

#[tokio::test]
async fn backend_called_near_the_total_time_does_not_count_as_failing() {
    let first = behaving(Behavior::stall()).await;
    let second = behaving(Behavior::stall()).await;
    let third = healthy().await;
    let rest =
        "timeouts = { response_head = \"600ms\", total = \"800ms\", retry_deadline = \"10s\" }";
    let backends = [("first", &first), ("second", &second), ("third", &third)];
    let gateway = gateway_with(rest, &backends).await;
    let answer = gateway.send(json(CHAT, "{}")).await;
    assert_eq!((answer.status, answer.backend()), (504, "second"));
    let closed = gateway.wait_for_closed(1).await;
    assert_eq!((&closed[0]["backend"], closed.len()), (&"first".into(), 1));
    assert_eq!(received(&third), 0);
}

/// The backend has begun a stream, which is held for its first event.
#[tokio::test]
async fn backend_that_began_to_answer_near_the_total_time_does_not_count_as_failing() {
    let (first, second) = (
        behaving(Behavior::stall()).await,
        WireUpstream::bind().await,
    );
    let rest =
        "timeouts = { response_head = \"600ms\", total = \"800ms\", retry_deadline = \"10s\" }";
    let text = pool("only", rest)
        + &backend("first", &first.url(), "")
        + &backend("second", &second.url(), "priority = 2");
    let gateway = gateway!().config(&text).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send("GET /v1/x HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut second = second.accept().await;
    second.read_head().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 20\r\n\r\n";
    second.send(head).await;
    let said = client.read_head().await;
    assert!(said.starts_with("HTTP/1.1 502 "), "{said}");
    let closed = gateway.wait_for_closed(1).await;
    assert_eq!((&closed[0]["backend"], closed.len()), (&"first".into(), 1));
}

#[tokio::test]
async fn wait_for_a_backend_ends_with_the_total_time() {
    let mock = behaving(answer(429, &[("retry-after", "8")])).await;
    let rest = "when_exhausted = \"wait:30s\"\ntimeouts.total = \"1s\"";
    let gateway = gateway_with(rest, &[("only", &mock)]).await;
    gateway.send(json(CHAT, "{}")).await;
    let begun = Instant::now();
    let refused = gateway.send(json(CHAT, "{}")).await;
    assert_eq!(refused.status, 429);
    assert!(Instant::now() - begun < Duration::from_secs(6));
    assert_eq!(received(&mock), 1);
}

#[tokio::test]
async fn stream_is_held_until_its_first_event() {
    let upstream = WireUpstream::bind().await;
    let rest = "timeouts.first_event = \"100ms\"";
    let text = pool("only", rest) + &backend("only", &upstream.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send("GET /v1/x HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut backend = upstream.accept().await;
    backend.read_head().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 20\r\n\r\n";
    backend.send(head).await;
    // Without the bound, the gateway would wait for data that comes only after this.
    assert!(client.read_head().await.starts_with("HTTP/1.1 200"));
    backend.send("data: {\"late\": 1}\n\n\n").await;
    client.read_until("\n\n\n").await;
}

#[tokio::test]
async fn no_attempt_begins_after_the_retry_deadline() {
    let slow = behaving(Behavior::status(500).after(Duration::from_millis(300))).await;
    let other = healthy().await;
    let backends = [("slow", &slow), ("other", &other)];
    let gateway = gateway_with("timeouts.retry_deadline = \"100ms\"", &backends).await;
    let answer = gateway.send(json(CHAT, "{}")).await;
    assert_eq!((answer.status, answer.backend()), (500, "slow"));
    assert_eq!(received(&other), 0);

    let gateway = gateway_with("timeouts.retry_deadline = \"30s\"", &backends).await;
    assert_eq!(gateway.send(json(CHAT, "{}")).await.backend(), "other");
}

#[tokio::test]
async fn attempts_are_counted() {
    let first = behaving(Behavior::status(500)).await;
    let second = behaving(Behavior::status(502)).await;
    let third = healthy().await;
    let backends = [("first", &first), ("second", &second), ("third", &third)];
    let gateway = gateway_with("limits.max_attempts = 2", &backends).await;
    let answer = gateway.send(json(CHAT, "{}")).await;
    assert_eq!((answer.status, answer.backend()), (502, "second"));
    assert_eq!(received(&third), 0);
    assert_eq!(gateway.wait_for_requests(1).await[0]["attempts"], 2);
}

#[tokio::test]
async fn status_table_sets_the_class() {
    let (odd, other) = (healthy().await, healthy().await);
    let rest = r#"statuses = { 404 = "declined", 418 = "failing", 503 = "client-error" }"#;
    let gateway = gateway_with(rest, &[("odd", &odd), ("other", &other)]).await;
    for (status, expected, moves_on) in [
        (404, 200, true),
        (503, 503, false),
        (400, 400, false),
        (418, 200, true),
    ] {
        odd.handle().push(answer(status, &[]));
        let answer = gateway.send(json(CHAT, "{}")).await;
        let by = if moves_on { "other" } else { "odd" };
        assert_eq!(
            (answer.status, answer.backend()),
            (expected, by),
            "{status}"
        );
    }
    let closed = gateway.wait_for_closed(4).await;
    assert_eq!((&closed[0]["class"], closed.len()), (&"failing".into(), 1));
}

#[tokio::test]
async fn cooldown_is_bounded_by_the_table() {
    let (first, other) = (healthy().await, healthy().await);
    let rest = "cooldown = { default = \"700ms\", cap = \"900ms\" }";
    let gateway = gateway_with(rest, &[("first", &first), ("other", &other)]).await;
    first.handle().push(answer(429, &[]));
    assert_eq!(gateway.send(json("/a", "{}")).await.backend(), "other");
    first.handle().push(answer(429, &[("retry-after", "100")]));
    assert_eq!(gateway.send(json("/b", "{}")).await.backend(), "other");
    let closed = gateway.wait_for_closed(2).await;
    let cooldowns: Vec<_> = closed.iter().map(|line| &line["cooldown_ms"]).collect();
    assert_eq!(cooldowns, [700, 900]);
}

#[tokio::test]
async fn requests_over_max_concurrency_go_to_other_backends() {
    let (busy, other) = (healthy().await, healthy().await);
    busy.handle()
        .push(Behavior::slow_stream(2, Duration::from_secs(100)));
    let text = pool("only", "")
        + &backend("busy", &busy.url(), "max_concurrency = 1")
        + &backend("other", &other.url(), "priority = 2");
    let gateway = gateway!().config(&text).start().await;
    let held = gateway.open(json(CHAT, "{}")).await;
    assert_eq!(gateway.send(json(CHAT, "{}")).await.backend(), "other");
    drop(held);
    soon(busy.handle().wait_for(|stats| stats.in_flight == 0)).await;
    assert_eq!(gateway.send(json(CHAT, "{}")).await.backend(), "busy");
}

#[tokio::test]
async fn each_pool_has_its_own_way_when_all_are_closed() {
    let throttled = behaving(answer(429, &[("retry-after", "20")])).await;
    let at = |name: &str, when: &str| {
        let rest =
            format!("when_exhausted = \"{when}\"\n[[pools.routes]]\npath_prefix = \"/{name}\"");
        pool(name, &rest) + &backend(name, &throttled.url(), "")
    };
    let text = at("reject", "reject") + &at("forward", "forward") + &at("wait", "wait:1s");
    let gateway = gateway!().config(&text).start().await;
    for (path, asked) in [("/reject", 1), ("/forward", 2), ("/wait", 1)] {
        let before = received(&throttled);
        for _ in 0..2 {
            let answer = gateway.send(json(path, "{}")).await;
            assert_eq!(answer.status, 429);
            let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((19..=20).contains(&after), "{after}");
        }
        assert_eq!(received(&throttled) - before, asked, "{path}");
    }
}

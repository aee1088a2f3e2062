//! A deadline for the first token: a stream that stalls before its content is not passed on, and the request moves on.

use std::time::Duration;

use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{Gateway, Wire, WireUpstream, backend, behaving, json, pool},
    gateway,
};
use tokio::time::Instant;

const CHAT: &str = "/v1/chat/completions";

const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n: keep-alive\n\n";

/// Starts a gateway that gives up streams without content after 300 ms.
async fn in_front_of(backends: &[(&str, String)]) -> Gateway {
    let mut text = "[admin]\naddress = \"127.0.0.1:0\"\n".to_owned();
    text += &pool("only", "timeouts.first_token = \"300ms\"");
    for (priority, (name, url)) in backends.iter().enumerate() {
        text += &backend(name, url, &format!("priority = {}", priority + 1));
    }
    gateway!().config(&text).start().await
}

/// Answers a request with the beginning of a stream, and then stalls.
async fn stall(upstream: &WireUpstream) -> Wire {
    let mut wire = upstream.accept().await;
    wire.read_head().await;
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{ROLE}\r\n", ROLE.len());
    wire.send([head, &chunk].concat()).await;
    wire
}

#[tokio::test]
async fn stream_that_stalls_before_its_content_moves_on() {
    let first = WireUpstream::bind().await;
    let next = behaving(Behavior::slow_stream(2, Duration::from_millis(10))).await;
    let gateway = in_front_of(&[("first", first.url()), ("next", next.url())]).await;

    let begun = Instant::now();
    let (answer, _stalled) = tokio::join!(
        gateway.send(json(CHAT, r#"{"stream":true}"#)),
        stall(&first)
    );
    let took = Instant::now() - begun;
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(
        took < Duration::from_secs(4),
        "as after first_event: {took:?}"
    );
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert!(!answer.text().contains("keep-alive"), "{}", answer.text());
    assert!(answer.text().ends_with("data: [DONE]\n\n"));

    let closed = gateway.wait_for_closed(1).await;
    assert_eq!(closed[0]["backend"], "first");
    assert_eq!(closed[0]["class"], "failing");
    assert_eq!(closed[0]["cooldown_ms"], 10_000);
    let cause = "the upstream's response had no content within 300ms";
    assert_eq!(closed[0]["cause"], cause);
    let status = gateway.admin().await.get("/status").await;
    assert!(status.text().contains(cause), "{}", status.text());

    // The next request goes elsewhere at once.
    let answer = gateway.send(json(CHAT, r#"{"stream":true}"#)).await;
    assert_eq!(answer.backend(), "next");
    assert_eq!(gateway.wait_for_requests(2).await[1]["attempts"], 1);
}

#[tokio::test]
async fn stream_of_the_last_backend_goes_on() {
    let only = WireUpstream::bind().await;
    let gateway = in_front_of(&[("only", only.url())]).await;
    let answer = async {
        let mut wire = stall(&only).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        wire.send("e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n").await;
        wire
    };
    let request = gateway.send(json(CHAT, r#"{"stream":true}"#));
    let (answer, _wire) = tokio::join!(request, answer);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), format!("{ROLE}data: [DONE]\n\n"));
}

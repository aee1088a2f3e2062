//! Streams that begin with status 200 and fail, before or after their first content.

use std::{io::Write, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::Response;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Gateway, Program, WireUpstream, behaving, eventually, healthy, json, with},
    for_both_gateways,
};

for_both_gateways!(
    stream_that_fails_before_its_first_content_moves_on,
    last_one_is_answered_with_the_status_that_its_error_stands_for,
    error_after_the_first_content_is_the_clients_and_is_logged,
    stream_in_gzip_that_fails_before_its_first_content_moves_on,
    refusal_whose_body_stalls_moves_on_and_is_read_beside_the_next_attempt,
);

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n";
const DELTA: &str =
    "event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
const ERROR: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";

/// Starts a backend that answers with this stream.
async fn streaming(events: &[&str]) -> MockUpstream {
    let response = Response::builder().header("content-type", "text/event-stream");
    let response = response.body(Bytes::from(events.concat()));
    behaving(response.expect("a valid response")).await
}

async fn in_front_of(program: Program, first: &MockUpstream, next: &MockUpstream) -> Gateway {
    let gateway = program.gateway().backend("first", 1, first.url());
    gateway.backend("next", 2, next.url()).start().await
}

async fn stream_that_fails_before_its_first_content_moves_on(program: Program) {
    let (first, next) = (
        streaming(&[START, ERROR]).await,
        streaming(&[START, DELTA]).await,
    );
    let gateway = in_front_of(program, &first, &next).await;
    for attempts in [2, 1] {
        let answer = gateway.post("/v1/messages", r#"{"stream":true}"#).await;
        assert_eq!(
            (answer.status, answer.text().to_owned()),
            (200, [START, DELTA].concat())
        );
        assert_eq!(answer.backend(), "next");
        let line = gateway.wait_for_requests(3 - attempts).await.pop();
        assert_eq!(line.expect("a line")["attempts"], attempts);
    }
    assert_eq!(first.handle().requests().len(), 1);

    let closed = gateway
        .wait_for_line(|line| line["message"] == "backend closed")
        .await;
    assert_eq!(closed["backend"], "first");
    assert_eq!(closed["class"], "capacity");
    assert_eq!(closed["cause"], "Overloaded");
}

async fn last_one_is_answered_with_the_status_that_its_error_stands_for(program: Program) {
    let only = streaming(&[START, ERROR]).await;
    let gateway = program
        .gateway()
        .backend("only", 1, only.url())
        .start()
        .await;
    let answer = gateway.post("/v1/messages", r#"{"stream":true}"#).await;
    assert_eq!(answer.status, 529);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["error"]["type"], "overloaded_error");
}

async fn error_after_the_first_content_is_the_clients_and_is_logged(program: Program) {
    let first = streaming(&[START, DELTA, ERROR]).await;
    let gateway = in_front_of(program, &first, &healthy().await).await;
    let answer = gateway.post("/v1/messages", r#"{"stream":true}"#).await;
    assert_eq!(
        (answer.status, answer.text().to_owned()),
        (200, [START, DELTA, ERROR].concat())
    );
    assert_eq!(answer.backend(), "first");

    let line = gateway
        .wait_for_line(|line| line["message"] == "stream ended with an error")
        .await;
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["backend"], "first");
}

/// Starts a backend that answers with this stream in gzip, flushed after each event.
async fn streaming_in_gzip(events: &[&str]) -> (MockUpstream, Bytes) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for event in events {
        encoder.write_all(event.as_bytes()).expect("into memory");
        encoder.flush().expect("into memory");
    }
    let coded = Bytes::from(encoder.finish().expect("into memory"));
    let response = Response::builder()
        .header("content-type", "text/event-stream")
        .header("content-encoding", "gzip");
    let response = response.body(coded.clone()).expect("a valid response");
    (behaving(response).await, coded)
}

async fn stream_in_gzip_that_fails_before_its_first_content_moves_on(program: Program) {
    let (first, _) = streaming_in_gzip(&[START, ERROR]).await;
    let (next, coded) = streaming_in_gzip(&[START, DELTA, ERROR]).await;
    let gateway = in_front_of(program, &first, &next).await;
    let request = json("/v1/messages", r#"{"stream":true}"#);
    let request = with(request, "accept-encoding", "gzip, br;q=0.5, dcb");
    let answer = gateway.send(request).await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.body, coded);

    // Codings that the gateway cannot read are not offered.
    for upstream in [&first, &next] {
        let requests = upstream.handle().requests();
        assert_eq!(requests[0].headers["accept-encoding"], "gzip, br;q=0.5");
    }
    // An error after the content goes to the client, and is logged.
    let line = gateway
        .wait_for_line(|line| line["message"] == "stream ended with an error")
        .await;
    assert_eq!(line["backend"], "next");
}

async fn refusal_whose_body_stalls_moves_on_and_is_read_beside_the_next_attempt(program: Program) {
    let first = WireUpstream::bind().await;
    let next = behaving(Behavior::echo().after(Duration::from_millis(600))).await;
    let gateway = program.gateway().backend("first", 1, first.url());
    let gateway = gateway.backend("next", 2, next.url()).start().await;

    let body = r#"{"error":{"message":"No credit.","code":"insufficient_quota"}}"#;
    let refuse = async {
        let mut wire = first.accept().await;
        wire.read_head().await;
        let length = body.len();
        let head = format!("HTTP/1.1 429 Too Many Requests\r\ncontent-length: {length}\r\n\r\n");
        wire.send(head).await;
        // The next backend is called before the body comes.
        eventually(async || next.handle().stats().received == 1).await;
        wire.send(body).await;
        wire
    };
    let request = gateway.send(json("/v1/messages", "{}"));
    let (answer, _wire) = tokio::join!(request, refuse);
    assert_eq!((answer.status, answer.backend()), (200, "next"));

    let closed = gateway.wait_for_closed(1).await;
    assert_eq!(closed[0]["class"], "throttled");
    let line = gateway
        .wait_for_line(|line| line["message"] == "backend closed for longer")
        .await;
    assert_eq!(line["backend"], "first");
    assert_eq!(line["class"], "quota");
    assert_eq!(line["cooldown_ms"], 300_000);
    assert_eq!(line["cause"], "No credit.");
}

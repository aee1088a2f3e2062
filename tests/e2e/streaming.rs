//! Bodies stream: each piece is passed on when it comes, and a side that goes away ends the other side.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Client, Gateway, Program, Wire, WireUpstream, behaving, healthy, request, soon},
    for_both_gateways,
};

for_both_gateways!(
    every_piece_of_an_answer_goes_on_while_the_backend_holds_the_rest,
    every_piece_of_a_request_goes_on_while_the_client_holds_the_rest,
    stream_reaches_an_http_2_client_event_by_event,
    answer_that_is_reset_breaks_off_and_is_not_asked_for_again,
    answer_that_ends_before_its_length_breaks_off,
    client_that_goes_away_before_the_answer_ends_the_call_to_the_backend,
    stream_that_an_http_2_client_resets_ends_the_call_to_the_backend,
    client_that_goes_away_in_a_stream_ends_it_at_the_backend,
    client_that_goes_away_in_its_upload_ends_it_at_the_backend,
    client_that_goes_away_after_a_failover_ends_the_call_to_the_second_backend,
    answer_before_the_request_is_complete_reaches_the_client,
    gateway_waits_for_a_body_as_long_as_it_takes,
);

const HOUR: Duration = Duration::from_secs(3_600);

async fn in_front_of(program: Program, first: &MockUpstream, next: &MockUpstream) -> Gateway {
    let gateway = program.gateway().backend("first", 1, first.url());
    gateway.backend("next", 2, next.url()).start().await
}

/// Reads a body. Returns the data, and true if the body ended regularly.
async fn read(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut data = Vec::new();
    loop {
        match soon(body.frame()).await {
            Some(Ok(frame)) => data.extend(frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return (data, false),
            None => return (data, true),
        }
    }
}

fn chunk(text: &str) -> String {
    format!("{:X}\r\n{text}\r\n", text.len())
}

async fn every_piece_of_an_answer_goes_on_while_the_backend_holds_the_rest(program: Program) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("GET /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n\r\n")
        .await;
    let mut server = backend.accept().await;
    server.read_head().await;

    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    server.send(head).await;
    let head = client.read_head().await;
    assert!(
        head.contains("content-type: text/event-stream\r\n"),
        "{head}"
    );
    for event in [
        "data: one\n\n",
        ": a comment\n\n",
        "data: t",
        "wo\n\n",
        "data: [DONE]\n\n",
    ] {
        server.send(chunk(event)).await;
        assert_eq!(client.read_until(&chunk(event)).await, chunk(event));
    }
    server.send("0\r\n\r\n").await;
    client.read_until("0\r\n\r\n").await;
}

async fn every_piece_of_a_request_goes_on_while_the_client_holds_the_rest(program: Program) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("POST /v1/files HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;

    let mut server = backend.accept().await;
    server.read_head().await;
    for piece in ["one", "two", "three"] {
        client.send(chunk(piece)).await;
        assert_eq!(server.read_until(&chunk(piece)).await, chunk(piece));
    }
    client.send("0\r\n\r\n").await;
    server.read_until("0\r\n\r\n").await;
    server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 204 "));
}

async fn stream_reaches_an_http_2_client_event_by_event(program: Program) {
    let (first, next) = (
        behaving(Behavior::slow_stream(2, HOUR)).await,
        healthy().await,
    );
    let gateway = in_front_of(program, &first, &next).await;

    let mut answer = gateway
        .http2()
        .open(request("POST", "/v1/chat/completions", "{}"))
        .await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let event = soon(answer.frame())
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    assert!(
        event.starts_with(b"data: {") && event.ends_with(b"\n\n"),
        "{event:?}"
    );
    // The second piece comes in an hour.
    assert_eq!(first.handle().stats().in_flight, 1);
}

async fn answer_that_is_reset_breaks_off_and_is_not_asked_for_again(program: Program) {
    let (first, next) = (
        behaving(Behavior::reset_mid_body(10_000)).await,
        healthy().await,
    );
    let gateway = in_front_of(program, &first, &next).await;

    let answer = gateway
        .open(request("POST", "/v1/chat/completions", "{}"))
        .await;
    assert_eq!(answer.status(), 200);
    let (data, is_whole) = read(answer.into_body()).await;
    assert!(!is_whole);
    assert!(data.len() <= 10_000, "{}", data.len());

    let line = gateway.wait_for_requests(1).await.remove(0);
    assert_eq!(
        (&line["status"], &line["attempts"]),
        (&200.into(), &1.into())
    );
    assert_end(program, &gateway, "broken", 200).await;
    assert_eq!(first.handle().stats().received, 1);
    assert_eq!(next.handle().stats().received, 0);
}

async fn answer_that_ends_before_its_length_breaks_off(program: Program) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n")
        .await;
    let mut server = backend.accept().await;
    server.read_head().await;
    server
        .send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        .await;
    drop(server);

    assert!(client.read_head().await.contains("content-length: 100\r\n"));
    assert_eq!(client.read_to_end().await, "half");
    assert_end(program, &gateway, "broken", 200).await;
}

/// Asserts how the first request ended and its status, as the production gateway logs it. The example gateway logs a
/// request when its answer begins.
async fn assert_end(program: Program, gateway: &Gateway, end: &str, status: impl Into<Value>) {
    if program.is_production() {
        let line = gateway.wait_for_requests(1).await.remove(0);
        assert_eq!(
            (&line["end"], &line["status"]),
            (&end.into(), &status.into())
        );
    }
}

/// Sends a request, drops it when the backend has it, and waits until the backend notices.
async fn give_up(client: Client, backend: &MockUpstream) {
    let asking = tokio::spawn(async move {
        client
            .open(request("POST", "/v1/chat/completions", "{}"))
            .await
    });
    soon(backend.handle().wait_for(|stats| stats.received == 1)).await;
    asking.abort();
    soon(backend.handle().wait_for(|stats| stats.cancelled == 1)).await;
}

/// Asserts that the first backend serves the next request: a client that went away does not close it.
async fn assert_not_cooled(
    program: Program,
    gateway: &Gateway,
    first: &MockUpstream,
    next: &MockUpstream,
) {
    first.handle().set_behavior(Behavior::echo());
    let answer = gateway.get("/v1/models").await;
    assert_eq!((answer.status, answer.backend()), (200, "first"));
    assert_eq!(next.handle().stats().received, 0);
    // The example gateway does not log a request that ended before its answer began.
    let logged = if program.is_production() { 2 } else { 1 };
    assert!(gateway.wait_for_closed(logged).await.is_empty());
}

async fn client_that_goes_away_before_the_answer_ends_the_call_to_the_backend(program: Program) {
    let (first, next) = (behaving(Behavior::stall()).await, healthy().await);
    let gateway = in_front_of(program, &first, &next).await;

    give_up(Client::http1(gateway.address()), &first).await;
    assert_end(program, &gateway, "cancelled", Value::Null).await;
    assert_not_cooled(program, &gateway, &first, &next).await;
}

async fn stream_that_an_http_2_client_resets_ends_the_call_to_the_backend(program: Program) {
    let (first, next) = (behaving(Behavior::stall()).await, healthy().await);
    let gateway = in_front_of(program, &first, &next).await;

    let client = gateway.http2();
    give_up(client.clone(), &first).await;
    assert_end(program, &gateway, "cancelled", Value::Null).await;
    assert_not_cooled(program, &gateway, &first, &next).await;
    // The connection and its other streams are not affected.
    assert_eq!(client.get("/v1/models").await.status, 200);
}

async fn client_that_goes_away_in_a_stream_ends_it_at_the_backend(program: Program) {
    let (first, next) = (
        behaving(Behavior::slow_stream(2, HOUR)).await,
        healthy().await,
    );
    let gateway = in_front_of(program, &first, &next).await;

    let mut answer = gateway
        .open(request("POST", "/v1/chat/completions", "{}"))
        .await;
    soon(answer.frame()).await.unwrap().unwrap();
    drop(answer);

    soon(first.handle().wait_for(|stats| stats.cancelled == 1)).await;
    assert_end(program, &gateway, "cancelled", 200).await;
    assert_not_cooled(program, &gateway, &first, &next).await;
}

async fn client_that_goes_away_in_its_upload_ends_it_at_the_backend(program: Program) {
    let (first, next) = (healthy().await, healthy().await);
    let gateway = in_front_of(program, &first, &next).await;

    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("POST /v1/files HTTP/1.1\r\nhost: gateway\r\ncontent-length: 100\r\n\r\nhalf")
        .await;
    soon(first.handle().wait_for(|stats| stats.received == 1)).await;
    drop(client);

    soon(first.handle().wait_for(|stats| stats.cancelled == 1)).await;
    if program.is_production() {
        gateway.wait_for_requests(1).await;
    }
    assert_not_cooled(program, &gateway, &first, &next).await;
}

async fn client_that_goes_away_after_a_failover_ends_the_call_to_the_second_backend(
    program: Program,
) {
    let (first, next) = (
        behaving(Behavior::status(429)).await,
        behaving(Behavior::stall()).await,
    );
    let gateway = in_front_of(program, &first, &next).await;
    give_up(gateway.http2(), &next).await;
    assert_eq!(first.handle().stats().received, 1);
    let logged = if program.is_production() { 1 } else { 0 };
    assert_eq!(gateway.wait_for_closed(logged).await.len(), 1);
}

async fn answer_before_the_request_is_complete_reaches_the_client(program: Program) {
    let backend = behaving(Behavior::status(413).early()).await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("POST /v1/files HTTP/1.1\r\nhost: gateway\r\ncontent-length: 100\r\n\r\nhalf")
        .await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 413 "));
}

async fn gateway_waits_for_a_body_as_long_as_it_takes(program: Program) {
    // The timeout covers the head only: pieces may come later.
    let backend = behaving(Behavior::slow_stream(4, Duration::from_millis(300))).await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .env("HTTP_TIMEOUT_SECONDS", "0.5")
        .start()
        .await;
    let answer = gateway
        .send(request("POST", "/v1/chat/completions", Body::empty()))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text().matches("data: ").count(), 5);
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
}

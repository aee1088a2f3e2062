//! The next backend gets the request body byte for byte, however much of it the first one has read.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Gateway, Program, RefusingPort, Wire, WireUpstream, answer, behaving, healthy, request},
    for_both_gateways,
};

for_both_gateways!(
    one_mebibyte_after_a_429,
    one_mebibyte_after_a_500,
    twenty_mebibytes_after_a_429,
    twenty_mebibytes_after_a_500,
    nothing_is_still_nothing,
    one_mebibyte_after_a_reset,
    one_mebibyte_after_a_refused_connection,
    twenty_mebibytes_of_which_the_first_backend_took_a_part,
    upload_without_a_length_stays_one,
    refusal_before_the_body_was_read,
    refusal_and_a_connection_closed_before_the_body_was_read,
    headers_are_those_of_the_original_request_at_every_attempt,
    body_above_the_replay_limit_is_sent_once_and_logged,
    trailers_are_sent_again,
);

const MIB: usize = 1 << 20;

/// Returns bytes that never repeat: a lost, doubled or misplaced part shows.
fn noise(len: usize) -> Bytes {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

async fn in_front_of(program: Program, backends: [&MockUpstream; 2]) -> Gateway {
    let gateway = program.gateway().backend("first", 1, backends[0].url());
    gateway.backend("next", 2, backends[1].url()).start().await
}

/// Asserts that the backend's last body is `body`. Prints the first difference instead of megabytes.
fn assert_received(backend: &MockUpstream, body: &Bytes) {
    let received = backend.handle().last_request().expect("a request").body;
    assert_eq!(received.len(), body.len());
    if received != body {
        let same = received.iter().zip(body).take_while(|(a, b)| a == b);
        panic!("byte {} is the first that differs", same.count());
    }
}

/// Checks replay after the first backend has read and refused the whole body.
async fn assert_replayed(program: Program, len: usize, refusal: Behavior) {
    let (first, next) = (behaving(refusal).await, healthy().await);
    let gateway = in_front_of(program, [&first, &next]).await;
    let body = noise(len);

    let answer = gateway.post("/v1/audio/transcriptions", body.clone()).await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_eq!(
        answer.header("x-echo-content-length"),
        Some(&*len.to_string())
    );
    assert_received(&first, &body);
    assert_received(&next, &body);
    assert!(answer.body == body);
}

async fn one_mebibyte_after_a_429(program: Program) {
    assert_replayed(program, MIB, Behavior::status(429)).await;
}

async fn one_mebibyte_after_a_500(program: Program) {
    assert_replayed(program, MIB, Behavior::status(500)).await;
}

async fn twenty_mebibytes_after_a_429(program: Program) {
    assert_replayed(program, 20 * MIB, Behavior::status(429)).await;
}

async fn twenty_mebibytes_after_a_500(program: Program) {
    assert_replayed(program, 20 * MIB, Behavior::status(500)).await;
}

async fn nothing_is_still_nothing(program: Program) {
    let (first, next) = (behaving(Behavior::status(429)).await, healthy().await);
    let gateway = in_front_of(program, [&first, &next]).await;

    let mut request = request("POST", "/v1/files", Body::empty());
    request
        .headers_mut()
        .insert("content-length", HeaderValue::from(0));
    let answer = gateway.send(request).await;

    assert_eq!((answer.status, answer.backend()), (200, "next"));
    // Servers may require a length (RFC 9110 section 15.5.12).
    for backend in [first, next] {
        let received = backend.handle().last_request().unwrap();
        assert_eq!(received.headers["content-length"], "0");
        assert!(received.body.is_empty());
    }
}

async fn one_mebibyte_after_a_reset(program: Program) {
    let (first, next) = (behaving(Behavior::reset()).await, healthy().await);
    let gateway = in_front_of(program, [&first, &next]).await;
    let body = noise(MIB);

    let answer = gateway.post("/v1/files", body.clone()).await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_received(&next, &body);
}

async fn one_mebibyte_after_a_refused_connection(program: Program) {
    let (refusing, next) = (RefusingPort::bind(), healthy().await);
    let gateway = program
        .gateway()
        .backend("first", 1, refusing.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    let body = noise(MIB);

    let answer = gateway.post("/v1/files", body.clone()).await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_received(&next, &body);
}

async fn twenty_mebibytes_of_which_the_first_backend_took_a_part(program: Program) {
    let (stuck, next) = (WireUpstream::bind().await, healthy().await);
    let gateway = program
        .gateway()
        .backend("first", 1, stuck.url())
        .backend("next", 2, next.url())
        .env("HTTP_TIMEOUT_SECONDS", "1")
        .start()
        .await;
    let body = noise(20 * MIB);

    let asking = gateway.post("/v1/audio/transcriptions", body.clone());
    // The backend reads the head, and no more than the kernel buffers.
    let (answer, _stuck) = tokio::join!(asking, async {
        let mut server = stuck.accept().await;
        server.read_head().await;
        server
    });
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_received(&next, &body);
}

async fn upload_without_a_length_stays_one(program: Program) {
    let (first, next) = (behaving(Behavior::status(429)).await, healthy().await);
    let gateway = in_front_of(program, [&first, &next]).await;
    let body = noise(MIB);

    let pieces: Vec<_> = body
        .chunks(1_000)
        .map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)))
        .collect();
    let answer = gateway
        .post("/v1/files", Body::from_stream(stream::iter(pieces)))
        .await;

    assert_eq!((answer.status, answer.backend()), (200, "next"));
    for backend in [&first, &next] {
        let headers = backend.handle().last_request().unwrap().headers;
        assert_eq!(headers["transfer-encoding"], "chunked");
        assert!(!headers.contains_key("content-length"));
    }
    assert_received(&first, &body);
    assert_received(&next, &body);
}

async fn refusal_before_the_body_was_read(program: Program) {
    let (first, next) = (
        behaving(Behavior::status(429).early()).await,
        healthy().await,
    );
    let gateway = in_front_of(program, [&first, &next]).await;
    let body = noise(4 * MIB);

    let answer = gateway.post("/v1/files", body.clone()).await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_received(&next, &body);
    assert_eq!(gateway.wait_for_closed(1).await[0]["class"], "throttled");
}

async fn refusal_and_a_connection_closed_before_the_body_was_read(program: Program) {
    let (first, next) = (
        behaving(Behavior::status(429).early_unread()).await,
        healthy().await,
    );
    let gateway = in_front_of(program, [&first, &next]).await;
    let body = noise(4 * MIB);

    let answer = gateway.post("/v1/files", body.clone()).await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_received(&next, &body);
}

async fn headers_are_those_of_the_original_request_at_every_attempt(program: Program) {
    let (first, next) = (behaving(answer(429, &[])).await, healthy().await);
    let gateway = program
        .gateway()
        .backend("first", 1, format!("{}/base", first.url()))
        .key("first", "key of the first")
        .env("BACKEND_first_DEPLOYMENT_NAME", "of-the-first")
        .backend("next", 2, next.url())
        .start()
        .await;

    let mut request = request(
        "POST",
        "/openai/deployments/asked/chat/completions",
        "question",
    );
    request
        .headers_mut()
        .insert("api-key", HeaderValue::from_static("key of the client"));
    request
        .headers_mut()
        .insert("x-request-id", HeaderValue::from_static("42"));
    assert_eq!(gateway.send(request).await.backend(), "next");

    let (first, next) = (
        first.handle().last_request().unwrap(),
        next.handle().last_request().unwrap(),
    );
    assert_eq!(
        first.path_and_query(),
        "/base/openai/deployments/of-the-first/chat/completions"
    );
    assert_eq!(first.headers["api-key"], "key of the first");
    assert_eq!(
        next.path_and_query(),
        "/openai/deployments/asked/chat/completions"
    );
    assert_eq!(next.headers["api-key"], "key of the client");
    for received in [first, next] {
        assert_eq!(received.headers["x-request-id"], "42");
        assert_eq!(received.headers["content-length"], "8");
        assert_eq!(received.headers.get_all("host").iter().count(), 1);
    }
}

async fn body_above_the_replay_limit_is_sent_once_and_logged(program: Program) {
    let (first, next) = (behaving(answer(429, &[])).await, healthy().await);
    let gateway = in_front_of(program, [&first, &next]).await;
    let body = noise(33 * MIB);

    let answer = gateway.post("/v1/files", body.clone()).await;
    assert_eq!((answer.status, answer.backend()), (429, "first"));
    assert_received(&first, &body);
    assert_eq!(next.handle().stats().received, 0);
    let warned = |line: &serde_json::Value| {
        line["level"] == "WARN"
            && line["message"]
                .as_str()
                .is_some_and(|text| text.contains("replay limits"))
    };
    gateway.wait_for_line(warned).await;
}

async fn trailers_are_sent_again(program: Program) {
    let (first, next) = (behaving(answer(429, &[])).await, WireUpstream::bind().await);
    let gateway = program
        .gateway()
        .backend("first", 1, first.url())
        .backend("next", 2, next.url())
        .start()
        .await;

    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("POST /v1/files HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n")
        .await;
    client
        .send("trailer: x-checksum\r\n\r\n8\r\nquestion\r\n0\r\nx-checksum: 42\r\n\r\n")
        .await;

    let mut backend = next.accept().await;
    backend
        .read_until("\r\n8\r\nquestion\r\n0\r\nx-checksum: 42\r\n\r\n")
        .await;
    backend.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 204 "));
}

//! The lines of the log about backends, connections and tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{
        EndingUpstream, Reaction, RefusingPort, Wire, WireUpstream, answer, backend, behaving,
        eventually, healthy, json, pool, request, with,
    },
    gateway,
};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    file::{Golden, mask},
    log::{CHAT, FRAME, add, lines, message, sorted},
};

#[tokio::test]
async fn backends_are_logged_as_before() {
    let mut golden = Golden::new("log_backends.jsonl");
    let (first, gone, last) = (healthy().await, RefusingPort::bind(), healthy().await);
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("gone", 2, gone.url());
    let gateway = gateway.backend("last", 3, last.url()).start().await;
    let throttle = answer(429, &[("retry-after-ms", "40000")]);
    let steps: [(&str, Behavior); 2] = [
        (CHAT, throttle.into()),
        ("/v1/embeddings", answer(500, &[]).into()),
    ];
    for (count, (path, behavior)) in (1..).zip(steps) {
        first.handle().push(behavior);
        gateway.send(json(path, "{}")).await;
        gateway.wait_for_requests(count).await;
    }
    add(&mut golden, "throttled, not reached, failing", gateway).await;

    let only = behaving(answer(500, &[])).await;
    let gateway = gateway!().backend("only", 1, only.url()).start().await;
    gateway.send(json(CHAT, "{}")).await;
    let limits = Response::builder().header("x-ratelimit-limit-tokens", "90000");
    only.handle()
        .set_behavior(limits.body("ok").expect("a response"));
    gateway.send(json(CHAT, "{}")).await;
    let refusal = answer(
        429,
        &[("x-ratelimit-limit-tokens", "30000"), ("retry-after", "40")],
    );
    only.handle().set_behavior(refusal);
    gateway.send(json(CHAT, "{}")).await;
    gateway.wait_for_requests(3).await;
    add(&mut golden, "open again, lowered its limit", gateway).await;

    let (streaming, next) = (healthy().await, healthy().await);
    let gateway = gateway!()
        .backend("first", 1, streaming.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    let delta = "event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let events = Response::builder().header("content-type", "text/event-stream");
    streaming.handle().push(
        events
            .body(Bytes::from([delta, error].concat()))
            .expect("a response"),
    );
    gateway.send(json("/v1/messages", "{}")).await;
    gateway.wait_for_requests(1).await;
    streaming.handle().push(Behavior::reset_mid_body(9));
    let response = gateway.open(json("/v1/messages", "{}")).await;
    let broken = response.into_body().collect().await;
    assert!(broken.is_err());
    gateway.wait_for_requests(2).await;
    let exit = gateway.stop().await;
    let text = lines(&exit, |message| !FRAME.contains(&message));
    golden.add("stream with an error, answer that breaks off", &text);

    let (silent, quick) = (behaving(Behavior::stall()).await, healthy().await);
    let gateway = gateway!()
        .backend("silent", 1, silent.url())
        .backend("quick", 2, quick.url())
        .start()
        .await;
    for count in 1..=3 {
        gateway
            .send(with(json(CHAT, "{}"), "x-stainless-read-timeout", "1"))
            .await;
        gateway.wait_for_requests(count).await;
    }
    add(
        &mut golden,
        "no answer within the client's patience",
        gateway,
    )
    .await;

    let (large, next) = (
        behaving(answer(429, &[("retry-after", "40")])).await,
        healthy().await,
    );
    let text = pool("only", "limits.replay = 9")
        + &backend("a", &large.url(), "")
        + &backend("b", &next.url(), "priority = 2");
    let gateway = gateway!().config(&text).start().await;
    gateway.send(request("POST", CHAT, "0123456789")).await;
    gateway.wait_for_requests(1).await;
    add(&mut golden, "body over the replay limit", gateway).await;
    golden.assert();
}

#[tokio::test]
async fn refusal_whose_body_is_late_is_logged_as_before() {
    let mut golden = Golden::new("log_late_body.jsonl");
    let first = WireUpstream::bind().await;
    let next = behaving(Behavior::echo().after(Duration::from_millis(600))).await;
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    let body = r#"{"error":{"message":"No credit.","code":"insufficient_quota"}}"#;
    let (_answer, _wire) = tokio::join!(gateway.send(json("/v1/messages", "{}")), async {
        let mut wire = first.accept().await;
        wire.read_head().await;
        wire.send(format!(
            "HTTP/1.1 429 Too Many Requests\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ))
        .await;
        eventually(async || next.handle().stats().received == 1).await;
        wire.send(body).await;
        wire
    });
    gateway.wait_for_requests(1).await;
    message(&gateway, "backend closed for longer").await;
    golden.add(
        "late body",
        &sorted(&lines(&gateway.stop().await, |message| {
            !FRAME.contains(&message)
        })),
    );
    golden.assert();
}

#[tokio::test]
async fn connections_are_logged_as_before() {
    let mut golden = Golden::new("log_connections.jsonl");
    let ending = EndingUpstream::http1(|arrived| match arrived.request {
        1 => Reaction::Answer,
        _ => Reaction::Close,
    });
    let ending = ending.await;
    let debug = || {
        gateway!()
            .env("RUST_LOG", "debug")
            .env("TOKIO_WORKER_THREADS", "1")
    };
    let gateway = debug().backend("only", 1, ending.url()).start().await;
    for count in 1..=2 {
        gateway.send(json(CHAT, "{}")).await;
        gateway.wait_for_requests(count).await;
    }
    add(&mut golden, "connection to a backend ends", gateway).await;

    let busy = WireUpstream::bind().await;
    let text = pool("only", "when_exhausted = \"wait:50ms\"")
        + &backend("only", &busy.url(), "max_concurrency = 1");
    let gateway = debug().config(&text).start().await;
    let held = busy.begin(gateway.address()).await;
    gateway.send(json(CHAT, "{}")).await;
    gateway.wait_for_requests(1).await;
    drop(held);
    gateway.wait_for_requests(2).await;
    let exit = gateway.stop().await;
    golden.add(
        "waiting for a backend",
        &lines(&exit, |message| message.starts_with("waiting")),
    );

    let mock = healthy().await;
    let text =
        "connections.max = 1\n".to_owned() + &pool("only", "") + &backend("only", &mock.url(), "");
    let gateway = gateway!()
        .env("TOKIO_WORKER_THREADS", "1")
        .config(&text)
        .start()
        .await;
    let mut first = Wire::connect(gateway.address()).await;
    first
        .send("GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n")
        .await;
    first.read_head().await;
    let _second = Wire::connect(gateway.address()).await;
    message(&gateway, "no place for another connection").await;
    add(&mut golden, "too many connections", gateway).await;

    let large = behaving(Behavior::large(64 << 20)).await;
    let text = "connections.write_timeout = \"200ms\"\n".to_owned()
        + &pool("only", "")
        + &backend("only", &large.url(), "");
    let gateway = debug().config(&text).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n")
        .await;
    let stopped = "a client has stopped reading: connection closed";
    message(&gateway, stopped).await;
    let exit = gateway.stop().await;
    golden.add(
        "client that does not read",
        &lines(&exit, |message| message == stopped),
    );
    golden.assert();
}

/// The time 3 s from now, in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the protocol has dates")]
fn in_3_s() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    (since.as_secs() + 3).to_string()
}

#[tokio::test]
async fn entra_tokens_are_logged_as_before() {
    let mut golden = Golden::new("log_entra.jsonl");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!(
        "http://{}/msi/token",
        listener.local_addr().expect("it is bound")
    );
    let given = Arc::new(AtomicBool::new(false));
    let router = Router::new().fallback(async move || {
        if given.swap(true, Relaxed) {
            let mut down = Response::new(Body::empty());
            *down.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            return down;
        }
        let token = serde_json::json!({ "access_token": "token", "expires_on": in_3_s(), "resource": "r", "token_type": "Bearer" });
        Response::new(token.to_string().into())
    });
    let mut serving = JoinSet::new();
    serving.spawn(async { axum::serve(listener, router).await.expect("it serves") });
    let gateway = gateway!()
        .env("BACKEND_1_AUTH", "entra")
        .backend("1", 1, "http://127.0.0.1:9");
    let gateway = gateway
        .envs([
            ("IDENTITY_ENDPOINT", &*url),
            ("IDENTITY_HEADER", "s3cret"),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
        ])
        .start()
        .await;
    message(&gateway, "Entra ID token expired").await;
    let status = gateway.admin().await.get("/status").await.json();
    let status = serde_json::to_string_pretty(&status["entra"]).expect("JSON");
    let exit = gateway.stop().await;
    assert!(!exit.stderr.contains("s3cret"), "{}", exit.stderr);
    // The number of failures before the token expires is left to chance: one line of each kind is shown.
    let text = mask(
        &lines(&exit, |message| !FRAME.contains(&message)),
        &["\"failures\":"],
    );
    let mut seen = Vec::new();
    for line in text.lines() {
        if !seen.contains(&line) {
            seen.push(line);
        }
    }
    golden.add("a token that is not renewed", &seen.join("\n"));
    let times = ["127.0.0.1:", "\"failures\": ", "\"valid_for_seconds\": "];
    golden.add("the status after that", &mask(&status, &times));
    golden.assert();
}

//! The lines of the log that the documentation names, in JSON.

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
use rustix::process::Signal;
use serde_json::Value;
use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{
        Authority, EndingUpstream, Exit, Files, Gateway, Reaction, RefusingPort, WebSocket,
        WebSocketUpstream, Wire, WireUpstream, answer, backend, behaving, eventually, healthy,
        json, pool, reload::refused, request, soon, with,
    },
    gateway,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;

use super::file::{Golden, mask};

const CHAT: &str = "/v1/chat/completions";

/// The texts in front of ports, times and other values that differ between runs.
const VOLATILE: [&str; 7] = [
    "127.0.0.1:",
    "0.0.0.0:",
    "\"duration_ms\":",
    "\"silent_ms\":",
    "\"valid_for_s\":",
    "\"refresh_in_s\":",
    "\"retry_in_ms\":",
];

/// The lines at level `debug` that the documentation names.
const DEBUG: [&str; 5] = [
    "attempt not processed",
    "attempt given up",
    "waiting for a backend",
    "a client has stopped reading: connection closed",
    "TLS handshake",
];

/// The lines of each start and stop, which one scenario shows.
const FRAME: [&str; 5] = [
    "backend",
    "listening",
    "admin",
    "stopping: no new connections, finishing the requests under way",
    "stopped",
];

/// Returns the lines of the log of which `wanted` holds, without their times. Lines at level `debug` that the documentation does
/// not name are left out.
fn lines(exit: &Exit, wanted: impl Fn(&str) -> bool) -> String {
    let is_wanted = |line: &&str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let message = line["message"].as_str().expect("a message");
        let is_debug = ["DEBUG", "TRACE"].contains(&line["level"].as_str().expect("a level"));
        wanted(message) && (!is_debug || DEBUG.contains(&message))
    };
    let lines = exit.stderr.lines().filter(is_wanted).map(|line| {
        let (time, line) = line.split_once("\",").expect("a field after the time");
        assert!(time.starts_with("{\"timestamp\":\""), "{time}");
        format!("{{{line}")
    });
    mask(&lines.collect::<Vec<_>>().join("\n"), &VOLATILE)
}

/// Sorts lines whose order is not promised.
fn sorted(lines: &str) -> String {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Stops the gateway, and adds what it logged between start and stop.
async fn add(golden: &mut Golden, title: &str, gateway: Gateway) {
    let exit = gateway.stop().await;
    golden.add(title, &lines(&exit, |message| !FRAME.contains(&message)));
}

async fn message(gateway: &Gateway, message: &str) -> Value {
    gateway
        .wait_for_line(|line| line["message"] == message)
        .await
}

#[tokio::test]
async fn start_and_stop_are_logged_as_before() {
    let mut golden = Golden::new("log_start_and_stop.jsonl");
    let (files, authority) = (Files::new(), Authority::new());
    authority.issue("localhost").write(&files.path(""));
    let text = "shutdown.delay = \"50ms\"\nadmin.address = \"127.0.0.1:0\"\n\
        [[listeners]]\naddress = \"127.0.0.1:0\"\n\
        [[listeners]]\naddress = \"0.0.0.0:0\"\n\
        [[listeners]]\naddress = \"127.0.0.1:0\"\ntls = { certificate = \"cert.pem\", key = \"key.pem\" }\n"
        .to_owned()
        + &pool("default", "")
        + &backend("passthrough", "https://name.openai.azure.com/openai/deployments/d/chat/completions", "")
        + &backend("own", "https://api.openai.com", "deployment = \"gpt\"").replace("\"passthrough\"", "{ bearer = \"s3cret\" }")
        + &backend("other", "https://api.anthropic.com", "priority = 2");
    let gateway = gateway!()
        .without("LISTEN")
        .env("BACKEND_OLD_URL", "s3cret")
        .config_beside(files, &text);
    let gateway = gateway.start().await;
    gateway
        .wait_for_line(|line| line["message"] == "admin")
        .await;
    let directory = gateway.files().path("").display().to_string();
    let exit = gateway.stop().await;
    golden.add(
        "start and stop",
        &lines(&exit, |_| true).replace(&directory, "<dir>/"),
    );

    let gateway = gateway!()
        .backend("only", 1, "http://127.0.0.1:9")
        .env("BACKEND_SERVICE_HOST", "10.0.0.1");
    let exit = gateway.start().await.stop().await;
    golden.add("one backend by variables", &lines(&exit, |_| true));

    let stalled = behaving(Behavior::stall()).await;
    let text = "shutdown.deadline = \"100ms\"\n".to_owned()
        + &pool("default", "")
        + &backend("a", &stalled.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(spillover_tests::e2e::ASK).await;
    soon(stalled.handle().wait_for(|stats| stats.received == 1)).await;
    let exit = gateway.stop().await;
    golden.add(
        "a request is cut off",
        &lines(&exit, |message| message.starts_with("stop")),
    );
    golden.assert();
}

#[tokio::test]
async fn requests_are_logged_as_before() {
    let mut golden = Golden::new("log_requests.jsonl");
    let (chat, other, tunnel) = (
        healthy().await,
        healthy().await,
        WebSocketUpstream::start().await,
    );
    let text = "[[clients.keys]]\nname = \"alice\"\nsecret = \"k1\"\n\
        [[clients.keys]]\nname = \"bob\"\nsecret = \"k2\"\nrequests_per_minute = 1\npools = [\"chat\"]\n"
        .to_owned()
        + &pool("chat", "routes = [{ path_prefix = \"/v1/chat\" }]\nlimits.body = 9")
        + &backend("chat", &chat.url(), "")
        + &pool("realtime", "routes = [{ path_prefix = \"/v1/realtime\" }, { path_prefix = \"/v1/other\" }]")
        + &backend("realtime", &tunnel.url(), "")
        + &pool("other", "routes = [{ path_prefix = \"/v1/models\" }]")
        + &backend("other", &other.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let mut count = 0;
    for (key, path, body) in [
        ("k1", "/v1/chat/completions?key=s3cret", "{}"),
        ("k1", CHAT, "0123456789"),
        ("k2", "/v1/models", "{}"),
        ("k2", CHAT, "{}"),
        ("k3", CHAT, "{}"),
        ("k1", "/v1/nowhere", "{}"),
    ] {
        gateway.send(with(json(path, body), "api-key", key)).await;
        count += 1;
        gateway.wait_for_requests(count).await;
    }
    gateway.get("/v1/models").await;
    gateway.get("/healthz").await;
    gateway.wait_for_requests(count + 1).await;
    let fields = [("api-key", "k1")];
    let socket = WebSocket::try_open(gateway.address(), "/v1/realtime?model=m", &fields).await;
    let mut socket = socket.expect("a WebSocket");
    socket.ask("question").await;
    socket.close().await;
    gateway.wait_for_requests(count + 2).await;
    let exit = gateway.stop().await;
    assert!(!exit.stderr.contains("s3cret"), "{}", exit.stderr);
    golden.add(
        "of clients with keys",
        &lines(&exit, |message| !FRAME.contains(&message)),
    );

    let stalled = behaving(Behavior::stall()).await;
    let gateway = gateway!()
        .backend("slow", 1, stalled.url())
        .env("RUST_LOG", "debug")
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(spillover_tests::e2e::ASK).await;
    soon(stalled.handle().wait_for(|stats| stats.received == 1)).await;
    drop(client);
    gateway.wait_for_requests(1).await;
    golden.add(
        "the client went away",
        &sorted(&lines(&gateway.stop().await, |message| {
            !FRAME.contains(&message)
        })),
    );

    let (files, authority) = (Files::new(), Authority::new());
    authority.issue("localhost").write(&files.path(""));
    files.write(
        "ca.pem",
        &std::fs::read_to_string(authority.file()).expect("a file"),
    );
    let tls = "tls = { certificate = \"cert.pem\", key = \"key.pem\", client_ca = \"ca.pem\" }";
    let text = format!("[[listeners]]\naddress = \"127.0.0.1:0\"\n{tls}\n")
        + &pool("only", "")
        + &backend("only", &other.url(), "");
    let gateway = gateway!()
        .env("RUST_LOG", "debug")
        .config_beside(files, &text)
        .start()
        .await;
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send("GET / HTTP/1.1\r\n\r\n").await;
    message(&gateway, "TLS handshake").await;
    let config = authority.client_config(Some(&authority.issue("client")), &[]);
    let stream = TcpStream::connect(gateway.address())
        .await
        .expect("it listens");
    let host = "localhost".try_into().expect("a host");
    let mut stream = soon(TlsConnector::from(Arc::new(config)).connect(host, stream))
        .await
        .expect("a handshake");
    let ask = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.expect("it reads");
    let _ = soon(stream.read_to_end(&mut Vec::new())).await;
    let line = gateway.wait_for_requests(1).await.remove(0);
    let certificate = line["client_certificate"]
        .as_str()
        .expect("a fingerprint")
        .to_owned();
    assert_eq!(certificate.len(), 64);
    let exit = gateway.stop().await;
    let text = lines(&exit, |message| !FRAME.contains(&message));
    golden.add("over TLS", &text.replace(&certificate, "<sha256>"));
    golden.assert();
}

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
    let broken = http_body_util::BodyExt::collect(response.into_body()).await;
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

#[tokio::test]
async fn reload_is_logged_as_before() {
    let mut golden = Golden::new("log_reload.jsonl");
    let text = pool("only", "") + &backend("only", "http://127.0.0.1:9", "");
    let gateway = gateway!().config(&text).start().await;
    let changed = "connections.max = 9\nshutdown.delay = \"1s\"\n".to_owned()
        + &text.replace("\"only\"", "\"other\"");
    gateway.files().write(Files::CONFIG, &changed);
    gateway.wait_for_line(|line| line["generation"] == 2).await;
    gateway
        .files()
        .write(Files::CONFIG, &changed.replace("url", "ulr"));
    refused(&gateway, 1).await;
    gateway.signal(Signal::HUP);
    refused(&gateway, 2).await;
    let directory = gateway.files().path("").display().to_string();
    let exit = gateway.stop().await;
    let text = lines(&exit, |message| {
        !["listening", "stopped"].contains(&message) && !message.starts_with("stopping")
    });
    golden.add("reload", &text.replace(&directory, "<dir>/"));
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
    let mut serving = tokio::task::JoinSet::new();
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

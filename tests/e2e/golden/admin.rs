//! The answers to operators and to load balancers.

use std::collections::BTreeSet;

use axum::body::Body;
use rustix::process::Signal;
use serde_json::Value;
use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{
        Client, Files, Gateway, RefusingPort, Wire, WireUpstream, answer, backend, behaving,
        eventually, healthy, json, pool, reload::refused, request, with,
    },
    gateway,
};

use super::file::{Golden, golden_text, mask};

const CHAT: &str = "/v1/chat/completions";
const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// The texts in front of ports and times in `/status`.
const TIMES: [&str; 6] = [
    "127.0.0.1:",
    "\"uptime_seconds\": ",
    "\"age_seconds\": ",
    "\"for_ms\": ",
    "\"closed_for_ms\": ",
    "\"latency_ms\": ",
];

async fn status(admin: &Client) -> String {
    let status: Value = admin.get("/status").await.json();
    let text = serde_json::to_string_pretty(&status).expect("JSON");
    mask(&text, &TIMES).replace(env!("CARGO_PKG_VERSION"), "<version>")
}

/// Waits until no request is at a backend but at the first of the second pool.
async fn settled(admin: &Client) {
    eventually(async || {
        let status: Value = admin.get("/status").await.json();
        let pools = status["pools"].as_array().expect("pools").iter();
        let backends = pools.flat_map(|pool| pool["backends"].as_array().expect("backends"));
        let in_flight = backends.map(|backend| backend["in_flight"].as_u64().expect("a number"));
        in_flight.sum::<u64>() == 1
    })
    .await;
}

/// Returns the lines of `/metrics` with masked values. Samples have no order of their own, and are sorted.
async fn metrics(admin: &Client) -> String {
    let answer = admin.get("/metrics").await;
    let mut lines: Vec<String> = Vec::new();
    let mut family = 0;
    for line in answer.text().lines() {
        if line.starts_with('#') {
            lines[family..].sort();
            lines.push(line.to_owned());
            family = lines.len();
        } else {
            let (sample, _value) = line.rsplit_once(' ').expect("a value");
            lines.push(format!("{sample} <n>"));
        }
    }
    let kind = answer.header("content-type").expect("a type");
    format!("content-type: {kind}\n{}", lines.join("\n"))
}

/// Asks a backend that never answers, until the gateway suspects it.
async fn suspect(gateway: &Gateway, path: &str) {
    for _ in 0..3 {
        let request = with(json(path, "{}"), "x-stainless-read-timeout", "1");
        assert_eq!(gateway.send(request).await.status, 200);
    }
    gateway
        .wait_for_line(|line| line["message"] == "backend suspect")
        .await;
}

#[tokio::test]
async fn status_and_metrics_are_as_before() {
    let throttled = behaving(answer(429, &[("retry-after", "40")])).await;
    let (failing, open) = (RefusingPort::bind(), healthy().await);
    let (busy, silent, quick) = (
        WireUpstream::bind().await,
        behaving(Behavior::stall()).await,
        healthy().await,
    );
    let keys = "[[clients.keys]]\nname = \"alice\"\nsecret = \"k1\"\n\
        [[clients.keys]]\nname = \"bob\"\nsecret = \"k2\"\nrequests_per_minute = 1\n";
    let text = ADMIN.to_owned()
        + &pool("chat", "routes = [{ path_prefix = \"/v1/chat\" }]")
        + &backend("throttled", &throttled.url(), "priority = 1\nweight = 3")
        + &backend("failing", &failing.url(), "priority = 2")
        + &backend("open", &open.url(), "priority = 3\nkind = \"openai\"")
        + &pool("other", "")
        + &backend("busy", &busy.url(), "max_concurrency = 1")
        + &backend("silent", &silent.url(), "priority = 2")
        + &backend("quick", &quick.url(), "priority = 3");
    let gateway = gateway!().config(&text).start().await;
    let admin = gateway.admin().await;
    let mut golden = Golden::new("status.txt");
    golden.add("at the start", &status(&admin).await);

    let (_client, _server) = {
        let mut client = Wire::connect(gateway.address()).await;
        client
            .send("GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n")
            .await;
        let mut server = busy.accept().await;
        server.read_head().await;
        (client, server)
    };
    assert_eq!(
        gateway.send(json(CHAT, r#"{"model":"m"}"#)).await.backend(),
        "open"
    );
    suspect(&gateway, "/v1/embeddings").await;
    settled(&admin).await;
    golden.add(
        "a throttled, a failing, an open, a full and a suspect backend",
        &status(&admin).await,
    );

    gateway
        .files()
        .write(Files::CONFIG, &text.replace("weight", "wieght"));
    refused(&gateway, 1).await;
    let refused: Value = admin.get("/status").await.json();
    let refused = serde_json::to_string_pretty(&refused["configuration"]).expect("JSON");
    let directory = gateway.files().path("").display().to_string();
    golden.add(
        "a newer configuration is bad",
        &mask(&refused, &TIMES).replace(&directory, "<dir>/"),
    );
    gateway
        .files()
        .write(Files::CONFIG, &(keys.to_owned() + &text));
    gateway.wait_for_line(|line| line["generation"] == 2).await;
    for key in ["k1", "k2", "k2", "k3"] {
        gateway.send(with(json(CHAT, "{}"), "api-key", key)).await;
    }
    let status: Value = admin.get("/status").await.json();
    golden.add(
        "clients",
        &serde_json::to_string_pretty(&status["clients"]).expect("JSON"),
    );
    golden.assert();

    let mut golden = Golden::new("metrics.txt");
    golden.add("/metrics", &metrics(&admin).await);
    golden.assert();
}

#[test]
fn documentation_lists_every_metric() {
    let (docs, golden) = (
        include_str!("../../../docs/admin.md"),
        golden_text("metrics.txt"),
    );
    let documented = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `spillover_")?.split_once('`'))
        .map(|(name, _)| name.to_owned());
    let exported = golden
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE spillover_")?.split_once(' '))
        .map(|(name, _)| name.to_owned());
    let (documented, exported): (BTreeSet<_>, BTreeSet<_>) =
        (documented.collect(), exported.collect());
    assert!(exported.len() > 10, "{exported:?}");
    assert_eq!(documented, exported);
}

#[tokio::test]
async fn local_endpoints_answer_as_before() {
    let good = healthy().await;
    let text = "shutdown.delay = \"30s\"\n".to_owned()
        + ADMIN
        + &pool("good", "")
        + &backend("good", &good.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let admin = gateway.admin().await;
    let mut golden = Golden::new("local_endpoints.txt");
    for (method, path) in [
        ("GET", "/healthz"),
        ("HEAD", "/healthz"),
        ("POST", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/"),
        ("HEAD", "/"),
        ("OPTIONS", "/readyz"),
    ] {
        let answer = gateway.send(request(method, path, Body::empty())).await;
        golden.add_answer(&format!("clients: {method} {path}"), &answer);
    }
    for (method, path) in [
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", "/readyz"),
        ("POST", "/status"),
        ("DELETE", "/metrics"),
        ("GET", "/"),
        ("POST", CHAT),
    ] {
        let answer = admin.send(request(method, path, Body::empty())).await;
        golden.add_answer(&format!("operators: {method} {path}"), &answer);
    }
    gateway.signal(Signal::TERM);
    // The log says so a little earlier.
    eventually(async || admin.get("/readyz").await.status == 503).await;
    // An answer over a connection that was kept has `connection: close` or not, by how far the stop has come.
    let ask = "GET /readyz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n";
    let answer = Wire::exchange(gateway.address(), ask).await;
    golden.add_bytes("clients, while the gateway stops: GET /readyz", &answer);
    golden.add_answer(
        "operators, while the gateway stops: GET /readyz",
        &admin.get("/readyz").await,
    );
    golden.add_answer(
        "operators, while the gateway stops: GET /healthz",
        &admin.get("/healthz").await,
    );

    let failing = RefusingPort::bind();
    let gateway = gateway!()
        .config(&(ADMIN.to_owned() + &pool("bad", "") + &backend("bad", &failing.url(), "")));
    let gateway = gateway.start().await;
    gateway.send(json(CHAT, "{}")).await;
    golden.add_answer(
        "clients, no backend was ever usable: GET /readyz",
        &gateway.get("/readyz").await,
    );
    golden.add_answer(
        "operators, no backend was ever usable: GET /readyz",
        &gateway.admin().await.get("/readyz").await,
    );
    golden.assert();
}

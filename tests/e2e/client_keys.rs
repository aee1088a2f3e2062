//! Client keys in a configuration file.

use std::{env, fs, process};

use axum::body::Body;
use http::Request;
use spillover_testing::MockUpstream;
use spillover_tests::{
    e2e::{Gateway, GatewayBuilder, backend, healthy, json, pool, request, with},
    gateway,
};

const CHAT: &str = "/v1/chat/completions";

/// The SHA-256 of `k-hash`.
const SHA256: &str = "7d10f63a21df9f09a5f428b5ac0ad1aa3d0db14397b8631f74525102631da1c7";

async fn gateway_with(clients: &str) -> (GatewayBuilder, MockUpstream) {
    let mock = healthy().await;
    let admin = "[admin]\naddress = \"127.0.0.1:0\"\n";
    let pools = pool("only", "") + &backend("only", &mock.url(), "");
    let config = format!("{admin}{clients}\n{pools}");
    (gateway!().config(&config), mock)
}

fn key(name: &str, rest: &str) -> String {
    format!("[[clients.keys]]\nname = \"{name}\"\n{rest}\n")
}

fn chat(secret: &str) -> Request<Body> {
    with(
        json(CHAT, "{}"),
        "authorization",
        &format!("Bearer {secret}"),
    )
}

async fn status(gateway: &Gateway, secret: &str) -> u16 {
    gateway.send(chat(secret)).await.status
}

#[tokio::test]
async fn key_is_accepted_in_each_place() {
    let file = env::temp_dir().join(format!("spillover-key-{}", process::id()));
    fs::write(&file, "k-file\n").unwrap();
    let clients = key("hash", &format!("sha256 = \"{SHA256}\""))
        + &key("inline", "secret = \"k-inline\"")
        + &key("env", "secret = { env = \"A_KEY\" }")
        + &key("file", &format!("secret = {{ file = {file:?} }}"));
    let (gateway, mock) = gateway_with(&clients).await;
    let gateway = gateway.env("A_KEY", "k-env").start().await;
    fs::remove_file(&file).unwrap();
    for name in ["hash", "inline", "env", "file"] {
        assert_eq!(status(&gateway, &format!("k-{name}")).await, 200, "{name}");
    }
    for wrong in ["k-has", "K-hash", SHA256, "", "A_KEY"] {
        assert_eq!(status(&gateway, wrong).await, 401, "{wrong}");
    }
    assert_eq!(mock.handle().stats().received, 4);
    for request in mock.handle().requests() {
        assert!(!request.headers.contains_key("authorization"));
    }
    let lines = gateway.wait_for_requests(9).await;
    let names: Vec<_> = lines
        .iter()
        .filter_map(|line| line["client"].as_str())
        .collect();
    assert_eq!(names, ["hash", "inline", "env", "file"]);
    for line in gateway.lines() {
        let line = line.to_string();
        assert!(
            !line.contains("k-hash") && !line.contains("k-file"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn rejected_client_gets_error_in_its_api_format() {
    let (gateway, mock) = gateway_with(&key("alice", "secret = \"k1\"")).await;
    let gateway = gateway.start().await;
    let refused = gateway.send(json(CHAT, "{}")).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.error()["code"], "invalid_api_key");
    assert!(refused.header("www-authenticate").is_some());
    let refused = gateway.send(json("/v1/messages", "{}")).await;
    assert_eq!(refused.json()["error"]["type"], "authentication_error");
    assert_eq!(mock.handle().stats().received, 0);
    assert_eq!(gateway.get("/healthz").await.status, 200);

    for field in ["api-key", "x-api-key", "x-goog-api-key"] {
        let request = with(json(CHAT, "{}"), field, "k1");
        assert_eq!(gateway.send(request).await.status, 200, "{field}");
        let sent = mock.handle().last_request().unwrap();
        assert!(!sent.headers.contains_key(field));
    }
    let mut request = json(&format!("{CHAT}?key=k1&x=1"), "{}");
    request = with(request, "x-other", "1");
    assert_eq!(gateway.send(request).await.status, 200);
    let sent = mock.handle().last_request().unwrap();
    assert_eq!(sent.path_and_query(), format!("{CHAT}?x=1"));
}

#[tokio::test]
async fn key_opens_only_its_pools() {
    let (cheap, dear) = (healthy().await, healthy().await);
    let text = key("all", "secret = \"k-all\"")
        + &key("cheap", "secret = \"k-cheap\"\npools = [\"cheap\"]")
        + &pool("cheap", "[[pools.routes]]\nmodel = \"*mini\"")
        + &backend("cheap", &cheap.url(), "")
        + &pool("dear", "")
        + &backend("dear", &dear.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let ask = |key: &str, body: &'static str| {
        let request = with(json(CHAT, body), "api-key", key);
        gateway.send(request)
    };
    let (mini, other) = (r#"{"model":"x-mini"}"#, r#"{"model":"x"}"#);
    assert_eq!(ask("k-all", mini).await.backend(), "cheap");
    assert_eq!(ask("k-all", other).await.backend(), "dear");
    assert_eq!(ask("k-cheap", mini).await.backend(), "cheap");
    let refused = ask("k-cheap", other).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.error()["code"], "insufficient_permissions");
    // A second model, which the backend might prefer, opens no pool either.
    let both = r#"{"model":"x-mini","model":"x"}"#;
    assert_eq!(ask("k-cheap", both).await.status, 400);
    // An escaped path, which a backend might decode, opens no pool either.
    let hidden = json("/openai/deploy%6dents/x/chat/completions", mini);
    let hidden = gateway.send(with(hidden, "api-key", "k-cheap")).await;
    assert_eq!(hidden.status, 400);
    assert_eq!(dear.handle().stats().received, 1);
    let line = &gateway.wait_for_requests(4).await[3];
    assert_eq!(
        (&line["client"], &line["pool"]),
        (&"cheap".into(), &"dear".into())
    );
    assert_eq!(line["status"], 403);
}

#[tokio::test]
async fn key_has_a_limit_of_requests_per_minute() {
    let clients =
        key("alice", "secret = \"k1\"\nrequests_per_minute = 2") + &key("bob", "secret = \"k2\"");
    let (gateway, mock) = gateway_with(&clients).await;
    let gateway = gateway.start().await;
    for expected in [200, 200, 429, 429] {
        assert_eq!(status(&gateway, "k1").await, expected);
    }
    let refused = gateway.send(chat("k1")).await;
    assert_eq!(refused.error()["code"], "rate_limit_exceeded");
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&after), "{after}");
    assert_eq!(status(&gateway, "k2").await, 200);
    assert_eq!(status(&gateway, "k3").await, 401);
    assert_eq!(mock.handle().stats().received, 3);

    let admin = gateway.admin().await;
    let metrics = admin.get("/metrics").await;
    for line in [
        r#"spillover_client_requests_total{client="alice"} 2"#,
        r#"spillover_client_rate_limited_total{client="alice"} 3"#,
        r#"spillover_client_requests_total{client="bob"} 1"#,
        "spillover_unauthorized_requests_total 1",
    ] {
        let text = metrics.text();
        assert!(
            text.lines().any(|other| other == line),
            "{line} is not in\n{text}"
        );
    }
}

#[tokio::test]
async fn preflight_is_answered() {
    let clients = "[clients]\ncors = [\"https://chat.example.com\"]\n".to_owned()
        + &key("alice", "secret = \"k1\"");
    let (gateway, mock) = gateway_with(&clients).await;
    let gateway = gateway.start().await;
    let preflight = |origin: &str| {
        let request = request("OPTIONS", CHAT, Body::empty());
        let request = with(request, "origin", origin);
        let request = with(request, "access-control-request-method", "POST");
        with(
            request,
            "access-control-request-headers",
            "authorization,content-type",
        )
    };
    let allowed = gateway.send(preflight("https://chat.example.com")).await;
    assert!((200..300).contains(&allowed.status), "{}", allowed.status);
    let origin = "access-control-allow-origin";
    assert_eq!(allowed.header(origin), Some("https://chat.example.com"));
    let other = gateway.send(preflight("https://evil.example")).await;
    assert_ne!(other.header(origin), Some("https://evil.example"));
    assert_eq!(mock.handle().stats().received, 0);

    for (secret, status) in [("k1", 200), ("k2", 401)] {
        let request = with(chat(secret), "origin", "https://chat.example.com");
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header(origin), Some("https://chat.example.com"));
    }
}

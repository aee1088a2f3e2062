//! The admin listener as operators see it.

use std::{collections::BTreeMap, time::Duration};

use axum::body::Body;
use serde_json::Value;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{
        Client, Gateway, RefusingPort, answer, backend, behaving, eventually, healthy, json, pool,
        request, soon, with,
    },
    gateway,
};

const CHAT: &str = "/v1/chat/completions";
const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// Starts a gateway with an admin listener, and returns a client of that listener.
async fn gateway_with(pools: &str) -> (Gateway, Client) {
    let gateway = gateway!().config(&format!("{ADMIN}{pools}")).start().await;
    let admin = gateway.admin().await;
    (gateway, admin)
}

async fn status(admin: &Client) -> Value {
    let answer = admin.get("/status").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

fn keys(object: &Value) -> Vec<&str> {
    let object = object.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn status_of_an_idle_gateway_has_this_shape() {
    let mock = healthy().await;
    let pools = pool("chat", "") + &backend("only", &mock.url(), "weight = 3\npriority = 2");
    let (_gateway, admin) = gateway_with(&pools).await;
    let status = status(&admin).await;
    assert_eq!(
        keys(&status),
        [
            "clients",
            "configuration",
            "pools",
            "uptime_seconds",
            "version"
        ]
    );
    assert_eq!(
        keys(&status["configuration"]),
        ["age_seconds", "generation"]
    );
    assert_eq!(keys(&status["clients"]), ["keys", "unauthorized"]);
    let pool = &status["pools"][0];
    assert_eq!(keys(pool), ["backends", "name"]);
    let backend = &pool["backends"][0];
    assert_eq!(
        keys(backend),
        [
            "attempts",
            "condition",
            "in_flight",
            "kind",
            "label",
            "priority",
            "suspect_scopes",
            "throttled_scopes",
            "url",
            "weight"
        ]
    );
    assert_eq!(
        keys(&backend["attempts"]),
        [
            "answered",
            "broken",
            "cancelled",
            "failed",
            "refused",
            "resent",
            "unprocessed"
        ]
    );
    assert_eq!(backend["condition"], "open");
    assert_eq!(
        (&backend["weight"], &backend["priority"]),
        (&3.into(), &2.into())
    );
    assert_eq!(backend["url"], Value::from(mock.url()));
}

#[tokio::test]
async fn status_names_closed_backends_and_reasons_without_secrets() {
    let throttled = behaving(answer(429, &[("retry-after", "30")])).await;
    let failing = RefusingPort::bind();
    let good = healthy().await;
    let secret = |name: &str, url: &str, rest: &str| {
        backend(name, url, rest).replace(
            "credential = \"passthrough\"",
            "credential = { api_key = \"s3cret\" }\nrequest_headers.set = { x-more = \"s3cret\" }",
        )
    };
    let pools = "[[clients.keys]]\nname = \"alice\"\nsecret = \"s3cret-key\"\n".to_owned()
        + &pool("chat", "")
        + &secret("throttled", &throttled.url(), "priority = 1")
        + &secret("failing", &failing.url(), "priority = 2")
        + &secret("good", &good.url(), "priority = 3");
    let (gateway, admin) = gateway_with(&pools).await;
    let request = with(json(CHAT, r#"{"model":"m"}"#), "api-key", "s3cret-key");
    assert_eq!(gateway.send(request).await.backend(), "good");
    gateway.send(json(CHAT, "{}")).await;

    let status = status(&admin).await;
    assert!(!status.to_string().contains("s3cret"), "{status}");
    let [throttled, failing, good] = &status["pools"][0]["backends"].as_array().unwrap()[..] else {
        panic!("{status}");
    };
    // Only the model is throttled: other models may have another limit.
    assert_eq!(throttled["condition"], "open");
    assert_eq!(throttled["throttled_scopes"], 1);
    let throttle = &throttled["longest_throttle"];
    let left = throttle["for_ms"].as_u64().unwrap();
    assert!((1..=30_000).contains(&left), "{throttle}");
    assert_eq!(throttle["cause"]["class"], "throttled");
    assert_eq!(throttle["cause"]["message"], "of the backend");
    assert_eq!(throttled["attempts"]["refused"], 1);

    assert_eq!(failing["condition"], "failing");
    assert!(failing["closed_for_ms"].is_u64(), "{failing}");
    assert_eq!(failing["cause"]["class"], "failing");
    assert_eq!(failing["attempts"]["failed"], 1);

    assert_eq!(good["condition"], "open");
    assert_eq!(good["attempts"]["answered"], 1);
    assert!(good["latency_ms"].is_f64(), "{good}");
    assert_eq!(status["clients"]["unauthorized"], 1);
    assert_eq!(status["clients"]["keys"][0]["name"], "alice");
    assert_eq!(status["clients"]["keys"][0]["requests"], 1);
}

/// Returns the samples of a metrics text, after a check of its format.
async fn metrics(admin: &Client) -> BTreeMap<String, f64> {
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
    let asked = with(request("GET", "/metrics", Body::empty()), "accept", accept);
    let answer = admin.send(asked).await;
    let kind = answer.header("content-type").expect("a type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.text();
    let samples = text.strip_suffix("# EOF\n").expect("it has an end");
    let mut types = BTreeMap::new();
    let mut found = BTreeMap::new();
    for line in samples.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (what, name, rest) = (words.next(), words.next().expect("a name"), words.next());
            match what {
                Some("TYPE") => drop(types.insert(name, rest.expect("a type"))),
                Some("HELP") => assert!(!rest.expect("a text").is_empty(), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a value");
        let name = sample.split('{').next().expect("a name");
        assert!(name.starts_with("spillover_"), "{line}");
        let (family, expected) = match name.rsplit_once('_') {
            Some((family, "total")) => (family, "counter"),
            Some((family, "info")) => (family, "info"),
            _ => (name, "gauge"),
        };
        assert_eq!(types.get(family), Some(&expected), "{line}");
        let before = found.insert(sample.to_owned(), value.parse().expect("a number"));
        assert!(before.is_none(), "{line} comes twice");
    }
    found
}

#[tokio::test]
async fn metrics_count_requests() {
    let (first, second) = (healthy().await, healthy().await);
    let pools = pool("chat", "")
        + &backend("first", &first.url(), "")
        + &backend("second", &second.url(), "priority = 2");
    let (gateway, admin) = gateway_with(&pools).await;
    let attempts = |backend: &str, outcome: &str| {
        format!(
            r#"spillover_attempts_total{{pool="chat",backend="{backend}",outcome="{outcome}"}}"#
        )
    };
    let of = |name: &str, backend: &str| {
        format!(r#"spillover_{name}{{pool="chat",backend="{backend}"}}"#)
    };
    let idle = metrics(&admin).await;
    assert_eq!(idle[&attempts("first", "answered")], 0.0);
    assert_eq!(idle[&of("backend_open", "first")], 1.0);
    assert_eq!(idle["spillover_configuration_generation"], 1.0);
    assert_eq!(idle["spillover_configuration_refused"], 0.0);

    gateway.send(json(CHAT, "{}")).await;
    first.handle().push(answer(429, &[("retry-after", "30")]));
    gateway.send(json(CHAT, r#"{"model":"m"}"#)).await;
    second
        .handle()
        .push(Behavior::slow_stream(2, Duration::from_secs(100)));
    let held = gateway.open(json(CHAT, r#"{"model":"m"}"#)).await;
    let busy = metrics(&admin).await;
    assert_eq!(busy[&attempts("first", "answered")], 1.0);
    assert_eq!(busy[&attempts("first", "refused")], 1.0);
    assert_eq!(busy[&attempts("second", "answered")], 2.0);
    assert_eq!(busy[&of("throttled_scopes", "first")], 1.0);
    assert_eq!(busy[&of("in_flight", "second")], 1.0);
    drop(held);
    let in_flight = of("in_flight", "second");
    eventually(async || metrics(&admin).await[&in_flight] == 0.0).await;

    let failing = Behavior::status(500);
    first.handle().set_behavior(failing.clone());
    gateway.send(json(CHAT, r#"{"model":"n"}"#)).await;
    let after = metrics(&admin).await;
    assert_eq!(after[&attempts("first", "failed")], 1.0);
    assert_eq!(after[&of("backend_open", "first")], 0.0);
}

#[tokio::test]
async fn gateway_without_a_usable_backend_is_not_ready() {
    let (refusing, other) = (RefusingPort::bind(), RefusingPort::bind());
    let pools = pool("chat", "")
        + &backend("1", &refusing.url(), "")
        + &backend("2", &other.url(), "priority = 2");
    let (gateway, admin) = gateway_with(&pools).await;
    assert_eq!(admin.get("/readyz").await.text(), "ready\n");
    assert_eq!(gateway.send(json(CHAT, "{}")).await.status, 502);
    for answer in [admin.get("/readyz").await, gateway.get("/readyz").await] {
        assert_eq!(answer.status, 503);
        assert_eq!(
            answer.text(),
            "no backend of the pool chat was ever usable\n"
        );
    }
    assert_eq!(admin.get("/healthz").await.text(), "ok\n");
}

#[tokio::test]
async fn gateway_stays_ready_when_a_usable_backend_fails() {
    let mock = healthy().await;
    let (gateway, admin) =
        gateway_with(&(pool("chat", "") + &backend("only", &mock.url(), ""))).await;
    gateway.send(json(CHAT, "{}")).await;
    mock.handle().set_behavior(Behavior::status(500));
    assert_eq!(gateway.send(json(CHAT, "{}")).await.status, 500);
    assert_eq!(
        status(&admin).await["pools"][0]["backends"][0]["condition"],
        "failing"
    );
    assert_eq!(admin.get("/readyz").await.status, 200);
    assert_eq!(gateway.get("/readyz").await.status, 200);
}

fn received(mock: &MockUpstream) -> u64 {
    mock.handle().stats().received
}

#[tokio::test]
async fn probes_reach_no_backend() {
    let mock = healthy().await;
    let (gateway, _admin) =
        gateway_with(&(pool("chat", "") + &backend("only", &mock.url(), ""))).await;
    for path in ["/", "/healthz", "/readyz", "/healthz?x=1"] {
        for method in ["GET", "HEAD"] {
            let answer = gateway.send(request(method, path, Body::empty())).await;
            assert_eq!(answer.status, 200, "{method} {path}");
            assert_eq!(answer.body.is_empty(), method == "HEAD", "{method} {path}");
        }
    }
    assert_eq!(received(&mock), 0);
    assert_eq!(gateway.post("/", "x").await.backend(), "only");
}

#[tokio::test]
async fn admin_and_client_paths_are_on_their_own_listeners() {
    let mock = healthy().await;
    let pools = pool("chat", "") + &backend("only", &mock.url(), "");
    let (gateway, admin) = gateway_with(&pools).await;
    for path in ["/status", "/metrics"] {
        let answer = gateway.get(path).await;
        assert_eq!((answer.backend(), answer.text()), ("only", ""));
    }
    assert_eq!(received(&mock), 2);
    assert_eq!(admin.send(json(CHAT, "{}")).await.status, 404);
    assert_eq!(admin.post("/status", "").await.status, 405);
    assert_eq!(received(&mock), 2);

    // Without an address there is no admin listener.
    let gateway = gateway!().config(&pools).start().await;
    soon(gateway.get("/healthz")).await;
    assert!(
        gateway
            .lines()
            .iter()
            .all(|line| line["message"] != "admin")
    );
}

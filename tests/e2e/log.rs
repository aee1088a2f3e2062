//! The gateway's log: one line per request, all events of backends, and no secret.

use http::HeaderValue;
use serde_json::Value;
use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{Client, GatewayBuilder, WireUpstream, answer, behaving, healthy, request},
    gateway,
};

const SECRET: &str = "s3cret-value";

#[tokio::test]
async fn variables_that_kubernetes_injects_are_ignored_with_a_line_of_the_log() {
    let names = [
        "BACKEND_PORT_80_TCP",
        "BACKEND_SERVICE_HOST",
        "BACKEND_only_SERVICE_PORT",
    ];
    let gateway = gateway!()
        .backend("only", 1, healthy().await.url())
        .envs(names.map(|name| (name, "10.0.0.1")))
        .start()
        .await;
    let lines = gateway.lines();
    let ignored: Vec<_> = lines
        .iter()
        .filter_map(|line| line["variable"].as_str())
        .collect();
    assert_eq!(
        ignored,
        [
            "BACKEND_only_SERVICE_PORT",
            "BACKEND_PORT_80_TCP",
            "BACKEND_SERVICE_HOST"
        ]
    );
}

#[tokio::test]
async fn filter_that_is_set_to_nothing_hides_nothing() {
    let gateway = gateway!().env("RUST_LOG", " ");
    let gateway = gateway.backend("only", 1, healthy().await.url());
    let gateway = gateway.start().await;
    gateway.get("/v1/models").await;
    gateway.wait_for_requests(1).await;
}

#[tokio::test]
async fn request_is_one_line_of_the_log() {
    let (first, next) = (behaving(answer(500, &[])).await, healthy().await);
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("next", 2, next.url());
    let gateway = gateway.start().await;
    gateway
        .post("/v1/chat/completions?api-key=s3cret-value", "question")
        .await;

    let line = gateway.wait_for_requests(1).await.remove(0);
    for (field, value) in [
        ("level", Value::from("INFO")),
        ("method", "POST".into()),
        // Without the query, which may hold a key.
        ("path", "/v1/chat/completions".into()),
        ("backend", "next".into()),
        ("attempts", 2.into()),
        ("status", 200.into()),
        ("spill", true.into()),
        ("bytes", 8.into()),
        ("end", "complete".into()),
    ] {
        assert_eq!(line[field], value, "{field} of {line}");
    }
    assert!(line["duration_ms"].is_u64(), "{line}");

    let exit = gateway.stop().await;
    assert_eq!(exit.stderr.matches(r#""message":"request""#).count(), 1);
}

#[tokio::test]
async fn rust_log_filters_the_log() {
    let backend = healthy().await;
    let gateway = gateway!()
        .backend("only", 1, backend.url())
        .env("RUST_LOG", "warn,spillover_serve=info")
        .start()
        .await;
    assert_eq!(gateway.get("/v1/models").await.status, 200);
    let exit = gateway.stop().await;
    assert_eq!(exit.code, Some(0));
    assert!(
        exit.stderr.contains(r#""message":"stopped""#),
        "{}",
        exit.stderr
    );
    for absent in [r#""message":"backend""#, r#""message":"request""#] {
        assert!(!exit.stderr.contains(absent), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn log_is_json_off_the_terminal_and_text_on_demand() {
    let taken = WireUpstream::bind().await;
    let listen = taken.url().replace("http://", "");
    for (format, is_json) in [("", true), ("auto", true), ("json", true), ("text", false)] {
        let gateway = gateway!().backend("only", 1, "http://127.0.0.1:9");
        let exit = gateway
            .envs([("LOG_FORMAT", format), ("LISTEN", &listen)])
            .run()
            .await;
        let line = exit.stderr.lines().next().unwrap();
        assert!(line.contains("only"), "{line}");
        assert_eq!(
            serde_json::from_str::<Value>(line).is_ok(),
            is_json,
            "{format}: {line}"
        );
    }
}

/// Sends requests with the client's own credentials to a backend with all kinds of answers, at the most verbose log
/// level. No secret appears in an answer or in the log.
async fn assert_secrets_kept(gateway: GatewayBuilder) {
    let mut backend = healthy().await;
    let gateway = gateway
        .backend("only", 1, backend.url())
        .env("RUST_LOG", "trace")
        .start()
        .await;
    let ways = [
        Behavior::echo(),
        answer(401, &[]).into(),
        answer(429, &[]).into(),
        answer(500, &[]).into(),
        Behavior::reset(),
        Behavior::cut_head(),
    ];
    let clients = [Client::http1(gateway.address()), gateway.http2()];
    let asked = ways.len() * clients.len();
    for way in ways.into_iter().map(Some).chain([None]) {
        for client in &clients {
            match way.clone() {
                Some(way) => backend.handle().push(way),
                None => backend.shutdown().await,
            }
            let mut request = request("POST", "/v1/files?key=s3cret-value-in-the-query", "{}");
            for name in [
                "authorization",
                "api-key",
                "ocp-apim-subscription-key",
                "cookie",
            ] {
                let value = HeaderValue::from_static("s3cret-value-of-the-client");
                request.headers_mut().insert(name, value);
            }
            let answer = client.send(request).await;
            let shown = format!("{:?} {}", answer.headers, answer.text());
            assert!(!shown.contains("s3cret-value-of-the"), "{shown}");
        }
    }
    // The request is sent once more if the reset connection was a reused one.
    let received = backend.handle().stats().received as usize;
    assert!(
        (asked..=asked + clients.len()).contains(&received),
        "{received}"
    );

    let exit = gateway.stop().await;
    assert_eq!(exit.stdout, "");
    assert!(exit.stderr.contains(r#""level":"TRACE""#));
    let leaks: Vec<_> = exit
        .stderr
        .lines()
        .filter(|line| line.contains(SECRET))
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[tokio::test]
async fn backends_key_is_in_no_line_of_the_log_and_in_no_answer() {
    assert_secrets_kept(gateway!().key("only", "s3cret-value-of-the-backend")).await;
}

#[tokio::test]
async fn clients_credential_is_in_no_line_of_the_log_and_in_no_answer() {
    assert_secrets_kept(gateway!()).await;
}

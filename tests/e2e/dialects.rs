//! A refusal keeps its meaning for the client, in the client's format.

use axum::body::Body;
use http::{Request, Response, header::CONTENT_TYPE};
use serde_json::{Value, json};
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Answer, Gateway, behaving, healthy},
    gateway,
};

fn refusal(status: u16, fields: &[(&str, &str)], body: &Value) -> Behavior {
    let mut response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    Behavior::respond(response.body(body.to_string()).expect("a response"))
}

fn quota() -> Behavior {
    let error = json!({
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "type": "insufficient_quota", "param": null, "code": "insufficient_quota",
    });
    refusal(429, &[], &json!({ "error": error }))
}

fn limit(seconds: &str) -> Behavior {
    let error = json!({
        "message": format!("Rate limit reached on tokens per min (TPM). Please try again in {seconds}s."),
        "type": "tokens", "param": null, "code": "rate_limit_exceeded",
    });
    refusal(429, &[], &json!({ "error": error }))
}

/// Starts a gateway that answers by itself when the backend is closed.
async fn rejecting(backend: &MockUpstream) -> Gateway {
    let gateway = gateway!().backend("only", 1, backend.url());
    gateway.env("WHEN_EXHAUSTED", "reject").start().await
}

fn chat(path: &str, model: &str) -> Request<Body> {
    let body = json!({ "messages": [], "model": model });
    Request::post(path)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("a request")
}

fn wait_ms(answer: &Answer) -> u64 {
    let field = answer.header("retry-after-ms").expect("a wait");
    field.parse().expect("a number")
}

#[tokio::test]
async fn wait_in_the_body_is_obeyed_and_reaches_the_client() {
    let backend = behaving(limit("17")).await;
    let gateway = rejecting(&backend).await;
    let first = gateway.send(chat("/v1/chat/completions", "gpt-4o")).await;
    assert_eq!((first.status, first.backend()), (429, "only"));
    assert!(first.text().contains("tokens per min"), "{first:?}");
    assert!((10_000..=17_000).contains(&wait_ms(&first)), "{first:?}");

    let second = gateway.send(chat("/v1/chat/completions", "gpt-4o")).await;
    assert_eq!(second.status, 429);
    assert_eq!(second.error()["code"], "rate_limit_exceeded");
    let message = second.error()["message"].as_str().map(ToOwned::to_owned);
    assert!(
        message.is_some_and(|text| text.contains("tokens per min")),
        "{second:?}"
    );
    assert_eq!(second.header("x-should-retry"), Some("true"));
    assert!(wait_ms(&second) <= 17_000);
    assert_eq!(backend.handle().stats().received, 1);
}

#[tokio::test]
async fn exhausted_quota_states_no_short_wait() {
    let backend = behaving(quota()).await;
    let gateway = rejecting(&backend).await;
    for answer in [
        gateway.send(chat("/v1/chat/completions", "gpt-4o")).await,
        gateway.send(chat("/v1/chat/completions", "gpt-4o")).await,
    ] {
        assert_eq!(answer.status, 429);
        assert_eq!(answer.error()["code"], "insufficient_quota");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        for field in ["retry-after", "retry-after-ms"] {
            assert_eq!(answer.header(field), None, "{answer:?}");
        }
    }
    assert_eq!(backend.handle().stats().received, 1);
}

#[tokio::test]
async fn limit_of_one_model_leaves_others_open() {
    let backend = healthy().await;
    backend.handle().push(limit("30"));
    let gateway = rejecting(&backend).await;
    let status = async |path: &str, model: &str| gateway.send(chat(path, model)).await.status;
    assert_eq!(status("/v1/chat/completions", "large").await, 429);
    assert_eq!(status("/v1/chat/completions", "small").await, 200);
    assert_eq!(status("/v1/chat/completions", "large").await, 429);

    backend.handle().push(limit("30"));
    let deployment =
        |name: &str| format!("/openai/deployments/{name}/chat/completions?api-version=1");
    assert_eq!(status(&deployment("a"), "").await, 429);
    assert_eq!(status(&deployment("b"), "").await, 200);
    assert_eq!(status(&deployment("a"), "").await, 429);
}

#[tokio::test]
async fn request_too_large_for_one_backend_moves_on_and_closes_nothing() {
    let error = json!({ "message": "Request too large for gpt-4o: Limit 30000, Requested 34307.", "type": "tokens", "code": "rate_limit_exceeded" });
    let small = healthy().await;
    small.handle().push(refusal(
        429,
        &[("retry-after", "2")],
        &json!({ "error": error }),
    ));
    let large = healthy().await;
    let gateway = gateway!()
        .backend("small", 1, small.url())
        .backend("large", 2, large.url());
    let gateway = gateway.start().await;
    let backend = async || {
        gateway
            .send(chat("/v1/chat/completions", "gpt-4o"))
            .await
            .backend()
            .to_owned()
    };
    assert_eq!(backend().await, "large");
    assert_eq!(backend().await, "small");
}

#[tokio::test]
async fn refusals_have_the_clients_format() {
    let backend = behaving(limit("30")).await;
    let gateway = rejecting(&backend).await;
    let mut messages = chat("/v1/messages", "claude");
    let version = "2023-06-01".parse().expect("a value");
    messages.headers_mut().insert("anthropic-version", version);
    gateway.send(chat("/v1/messages", "claude")).await;
    let answer = gateway.send(messages).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["type"], "error");
    assert_eq!(answer.json()["error"]["type"], "rate_limit_error");

    let call = |path| {
        Request::post(path)
            .header(CONTENT_TYPE, "application/grpc")
            .body(Body::empty())
            .expect("a request")
    };
    gateway.send(call("/pkg.Service/Method")).await;
    let answer = gateway.send(call("/pkg.Service/Method")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("grpc-status"), Some("8"));
    let pushback = answer
        .header("grpc-retry-pushback-ms")
        .and_then(|ms| ms.parse::<u64>().ok());
    assert!(
        pushback.is_some_and(|ms| (1..=30_000).contains(&ms)),
        "{answer:?}"
    );
}

#[tokio::test]
async fn errors_of_the_request_have_the_clients_format_too() {
    let gateway = gateway!()
        .backend("gone", 1, "http://127.0.0.1:1")
        .start()
        .await;
    let answer = gateway.send(chat("/v1/messages", "claude")).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["error"]["type"], "api_error");
}

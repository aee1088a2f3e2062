//! The behavior of one client does not affect the others.

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use http::{Request, Response, header::CONTENT_TYPE};
use serde_json::{Value, json};
use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{Wire, behaving, healthy, soon},
    gateway,
};

fn refusal(status: u16, body: &Value) -> Behavior {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json");
    Behavior::respond(response.body(body.to_string()).expect("a response"))
}

fn chat(key: &str) -> Request<Body> {
    Request::post("/v1/chat/completions")
        .header(CONTENT_TYPE, "application/json")
        .header("authorization", format!("Bearer {key}"))
        .body(Body::from(
            json!({ "messages": [], "model": "gpt-4o" }).to_string(),
        ))
        .expect("a request")
}

#[tokio::test]
async fn client_without_credit_does_not_close_a_backend_for_the_others() {
    let backend = healthy().await;
    let body =
        json!({ "error": { "code": "insufficient_quota", "message": "No credit in org-poor." } });
    backend.handle().push(refusal(429, &body));
    let gateway = gateway!().backend("only", 1, backend.url());
    let gateway = gateway.env("WHEN_EXHAUSTED", "reject").start().await;

    assert_eq!(gateway.send(chat("poor")).await.status, 429);
    let again = gateway.send(chat("poor")).await;
    assert_eq!(
        (again.status, again.header("x-should-retry")),
        (429, Some("false"))
    );
    assert_eq!(gateway.send(chat("rich")).await.status, 200);
    assert_eq!(backend.handle().stats().received, 2);
}

#[tokio::test]
async fn stalled_upload_closes_no_backend() {
    let (first, next) = (healthy().await, healthy().await);
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("next", 2, next.url());
    let gateway = gateway.env("HTTP_TIMEOUT_SECONDS", "0.3").start().await;

    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("POST /openai/deployments/d/chat/completions?api-version=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf")
        .await;
    let head = soon(client.read_head()).await;
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
    assert_eq!(next.handle().stats().received, 0);
    assert!(gateway.wait_for_closed(1).await.is_empty());

    // A backend that is slow by itself is closed if the request was sent completely.
    first.handle().push(Behavior::stall());
    let answer = gateway
        .post("/openai/deployments/d/chat/completions?api-version=1", "{}")
        .await;
    assert_eq!(answer.backend(), "next");
}

#[tokio::test]
async fn forbidden_model_closes_no_backend() {
    let body = json!({ "error": { "type": "invalid_request_error", "code": "model_not_found", "message": "No access." } });
    let backend = behaving(refusal(403, &body)).await;
    let gateway = gateway!().backend("only", 1, backend.url());
    let gateway = gateway.key("only", "key").start().await;
    assert_eq!(gateway.send(chat("client")).await.status, 403);
    assert!(gateway.wait_for_closed(1).await.is_empty());
}

#[tokio::test]
async fn deployment_that_one_backend_lacks_is_served_by_the_next() {
    let body = json!({ "error": { "code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist." } });
    let (without, with) = (behaving(refusal(404, &body)).await, healthy().await);
    let gateway = gateway!()
        .backend("without", 1, without.url())
        .backend("with", 2, with.url())
        .start()
        .await;
    assert_eq!(gateway.send(chat("client")).await.backend(), "with");
    assert!(gateway.wait_for_closed(1).await.is_empty());
}

#[tokio::test]
async fn used_up_window_closes_its_backend_for_as_long_as_it_says() {
    let body = json!({ "error": { "type": "usage_limit_reached", "message": "The usage limit has been reached",
        "resets_in_seconds": 7200 } });
    let (full, next) = (behaving(refusal(429, &body)).await, healthy().await);
    let gateway = gateway!()
        .backend("full", 1, full.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    for _ in 0..2 {
        assert_eq!(gateway.send(chat("client")).await.backend(), "next");
    }
    assert_eq!(full.handle().stats().received, 1);
    let closed = gateway.wait_for_closed(1).await;
    assert!(
        closed
            .iter()
            .any(|line| line["class"] == "quota" && line["cooldown_ms"] == 7_200_000),
        "{closed:?}"
    );
}

#[tokio::test]
async fn error_with_a_success_status_moves_on() {
    let body = json!({ "error": { "message": "Provider returned error", "code": 429 } });
    let limited = refusal(200, &body);
    let (first, next) = (behaving(limited).await, healthy().await);
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    for _ in 0..2 {
        assert_eq!(gateway.send(chat("client")).await.backend(), "next");
    }
    assert_eq!(first.handle().stats().received, 1);
    let closed = gateway.wait_for_closed(1).await;
    assert_eq!(closed[0]["class"], "throttled");
}

#[tokio::test]
async fn request_too_large_for_all_gets_no_retry_after() {
    let body = json!({ "error": { "type": "tokens", "code": "rate_limit_exceeded",
        "message": "Request too large for gpt-4o on tokens per min (TPM): Limit 10000, Requested 90000." } });
    let backend = behaving(refusal(429, &body)).await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let answer = gateway.send(chat("client")).await;
    assert_eq!(answer.status, 429);
    assert_eq!(
        (
            answer.header("retry-after"),
            answer.header("retry-after-ms")
        ),
        (None, None)
    );
    assert!(gateway.wait_for_closed(1).await.is_empty());
}

#[tokio::test]
async fn grpc_call_fails_over_after_a_refusal_or_without_a_connection() {
    let refuses = Response::builder()
        .header(CONTENT_TYPE, "application/grpc")
        .header("grpc-status", "8")
        .header("grpc-retry-pushback-ms", "20000")
        .body(Bytes::new())
        .expect("a response");
    let (full, works) = (behaving(refuses).await, healthy().await);
    works.handle().set_behavior(Behavior::echo());
    let gateway = gateway!()
        .backend("gone", 1, "http://127.0.0.1:1")
        .backend("full", 2, full.url())
        .backend("works", 3, works.url());
    let gateway = gateway.start().await;
    let call = || {
        Request::post("/pkg.Service/Method")
            .header(CONTENT_TYPE, "application/grpc")
            .body(Body::from("question"))
            .expect("a request")
    };
    assert_eq!(gateway.send(call()).await.backend(), "works");
    assert_eq!(gateway.send(call()).await.backend(), "works");
    assert_eq!(full.handle().stats().received, 1);
}

#[tokio::test]
async fn cancelled_request_logs_its_backend() {
    let backend = behaving(Behavior::stall()).await;
    let gateway = gateway!().backend("slow", 1, backend.url()).start().await;
    let request = gateway.open(chat("client"));
    tokio::select! {
        _ = request => panic!("it never answers"),
        _ = backend.handle().wait_for(|stats| stats.received == 1) => {}
    }
    let lines = gateway.wait_for_requests(1).await;
    assert_eq!(lines[0]["end"], "cancelled");
    assert_eq!(
        (&lines[0]["backend"], &lines[0]["attempts"]),
        (&json!("slow"), &json!(1))
    );
}

#[tokio::test]
async fn throttled_upload_leaves_chats_open() {
    let backend = healthy().await;
    backend.handle().push(refusal(
        429,
        &json!({ "error": { "message": "Please retry after 30 seconds." } }),
    ));
    let gateway = gateway!().backend("only", 1, backend.url());
    let gateway = gateway.env("WHEN_EXHAUSTED", "reject").start().await;
    let chunks = stream::iter(["--x\r\n", "--x--\r\n"]).map(Ok::<_, std::io::Error>);
    let upload = Request::post("/v1/audio/transcriptions")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=x")
        .body(Body::from_stream(chunks))
        .expect("a request");
    assert_eq!(gateway.send(upload).await.status, 429);
    assert_eq!(gateway.send(chat("client")).await.status, 200);
}

//! Streams with an error before their content, which become refusals.

use serde_json::{Value, json};

use super::*;

/// Returns the response to a stream of server-sent events that ends with this event.
async fn refused(name: &str, data: &str) -> Response<PeekedBody<ScriptedBody>> {
    let last = format!("event: {name}\ndata: {data}\n\n");
    peek(SSE, chunks([Bytes::from(PING), last.into()])).await
}

async fn json(response: Response<PeekedBody<ScriptedBody>>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(&bytes(response).await).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn error_before_the_content_becomes_the_response() {
    for parts in [
        &[OVERLOADED][..],
        &[START, PING, OVERLOADED],
        &[
            START,
            &OVERLOADED[..9],
            &OVERLOADED[9..50],
            &OVERLOADED[50..],
        ],
        // The events after the error are dropped.
        &[START, OVERLOADED, CONTENT],
    ] {
        let body = chunks(parts.iter().copied()).pause();
        let handle = body.handle();
        let response = peek(SSE, body).await;
        assert_eq!(response.status(), 529);
        assert_eq!(refusal(&response), Some(Refusal::Capacity));
        assert!(handle.dropped_early(), "the rest of the stream is dropped");

        let body = response.body();
        assert!(body.size_hint().exact().is_some() && !body.is_end_stream());
        let expected = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        assert_eq!(json(response).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn first_of_content_and_error_in_one_chunk_decides() {
    let both = |parts: [&str; 3]| Bytes::from(parts.concat());
    let response = peek(SSE, chunks([both([START, OVERLOADED, CONTENT])])).await;
    assert_eq!(response.status(), 529);
    let response = peek(SSE, chunks([both([START, CONTENT, OVERLOADED])])).await;
    assert_eq!(response.status(), 200);
    assert_eq!(bytes(response).await, both([START, CONTENT, OVERLOADED]));
}

#[tokio::test(start_paused = true)]
async fn error_cut_off_by_the_end_is_a_refusal() {
    let cut = OVERLOADED.trim_end();
    let response = peek(SSE, chunks([START, cut])).await;
    assert_eq!(response.status(), 529);

    // The data of the event is cut off, but its name says that it is an error.
    let response = peek(SSE, chunks([START, &cut[..40]])).await;
    assert_eq!(response.status(), 500);
    assert_eq!(refusal(&response), Some(Refusal::Failing));
}

#[tokio::test(start_paused = true)]
async fn head_of_a_refusal_keeps_fields_that_do_not_describe_the_stream() {
    let response = Response::builder()
        .header("content-type", SSE)
        .header("cache-control", "no-cache")
        .header("content-length", "7")
        .header("transfer-encoding", "chunked")
        .header("trailer", "x-end")
        .header("content-digest", "sha-256=:AAAA:")
        .header("repr-digest", "sha-256=:AAAA:")
        .header("digest", "sha-256=AAAA")
        .header("content-md5", "AAAA")
        .header("content-range", "bytes 0-6/7")
        .header("etag", "\"1\"")
        .header("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")
        .header("request-id", "req_1")
        .header("anthropic-ratelimit-requests-remaining", "49")
        .body(chunks([OVERLOADED]))
        .expect("a head");
    let response = peek_at(StreamPeekLayer::new(), Request::new(()), response).await;
    let expected = headers(&[
        ("content-type", "application/json"),
        ("request-id", "req_1"),
        ("anthropic-ratelimit-requests-remaining", "49"),
    ]);
    assert_eq!(response.headers(), &expected);
}

#[tokio::test(start_paused = true)]
async fn body_of_a_refusal_has_the_format_of_an_error_without_a_stream() {
    let table = [
        // The data is the body.
        (
            "",
            r#"{"error":{"code":"429","message":"x"}}"#,
            json!({"error": {"code": "429", "message": "x"}}),
        ),
        ("error", r#"{"error":"boom"}"#, json!({"error": "boom"})),
        // Errors of OpenAI.
        (
            "error",
            r#"{"type":"error","code":"rate_limit_exceeded","message":"x","param":null,"sequence_number":2}"#,
            json!({"error": {"type": null, "code": "rate_limit_exceeded", "message": "x", "param": null}}),
        ),
        (
            "response.failed",
            r#"{"type":"response.failed","response":{"id":"1","error":{"code":"server_error","message":"x"}}}"#,
            json!({"error": {"code": "server_error", "message": "x"}}),
        ),
        (
            "",
            r#"{"type":"response.done","response":{"status":"failed","status_details":{"error":{"code":"x"}}}}"#,
            json!({"error": {"code": "x"}}),
        ),
        (
            "response.failed",
            r#"{"type":"response.failed","error":{"message":"x"}}"#,
            json!({"type": "response.failed", "error": {"message": "x"}}),
        ),
        // Errors of Google.
        (
            "",
            r#"[{"error":{"code":503,"message":"x"}}]"#,
            json!({"error": {"code": 503, "message": "x"}}),
        ),
        // Data in an unknown format.
        (
            "error",
            "Too busy",
            json!({"error": {"message": "Too busy"}}),
        ),
        ("error", "{", json!({"error": {"message": "{"}})),
        (
            "error",
            r#""Too busy""#,
            json!({"error": {"message": "Too busy"}}),
        ),
        (
            "error",
            r#"{"message":"x"}"#,
            json!({"error": {"message": "x"}}),
        ),
    ];
    for (name, data, expected) in table {
        let response = refused(name, data).await;
        assert!(response.status().as_u16() >= 400, "{data}");
        assert_eq!(json(response).await, expected, "{data}");
    }
}

#[tokio::test(start_paused = true)]
async fn head_of_a_bedrock_refusal_names_the_exception() {
    let payload = r#"{"message":"Too many tokens, please wait before trying again."}"#;
    let stream = [
        event("messageStart", "{}"),
        exception("throttlingException", payload),
    ]
    .concat();
    for size in [7, 1000] {
        let body = chunks(stream.chunks(size).map(<[u8]>::to_vec));
        let response = peek(EVENT_STREAM, body).await;
        assert_eq!(response.status(), 429);
        assert_eq!(refusal(&response), Some(Refusal::Throttled));
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "ThrottlingException"
        );
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(bytes(response).await, payload);
    }

    let error = [
        (":message-type", "error"),
        (":error-code", "InternalError"),
        (":error-message", "Sorry."),
    ];
    let response = peek(EVENT_STREAM, chunks([message(&error, b"")])).await;
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["x-amzn-errortype"], "InternalError");
    assert_eq!(json(response).await, json!({"message": "Sorry."}));

    // The name is not a valid header value.
    let response = peek(EVENT_STREAM, chunks([exception("a\nb", "{}")])).await;
    assert_eq!(response.status(), 500);
    assert!(!response.headers().contains_key("x-amzn-errortype"));
}

#[tokio::test(start_paused = true)]
async fn grpc_trailers_without_a_message_become_the_head() {
    let trailers = headers(&[
        ("grpc-status", "8"),
        ("grpc-retry-pushback-ms", "1500"),
        ("x-both", "trailers"),
    ]);
    let response = Response::builder()
        .header("content-type", GRPC)
        .header("content-length", "7")
        .header("trailer", "grpc-status")
        .header("x-both", "head")
        .body(ScriptedBody::new().data("").pending().trailers(trailers))
        .expect("a head");
    let response = peek_at(StreamPeekLayer::new(), Request::new(()), response).await;
    assert_eq!(response.status(), 200);
    assert_eq!(refusal(&response), Some(Refusal::Throttled));
    let expected = headers(&[
        ("content-type", GRPC),
        ("grpc-status", "8"),
        ("grpc-retry-pushback-ms", "1500"),
        ("x-both", "trailers"),
    ]);
    assert_eq!(response.headers(), &expected);
    assert!(response.body().is_end_stream());
    assert_eq!(bytes(response).await, "");
}

#[tokio::test(start_paused = true)]
async fn grpc_status_in_the_head_is_read() {
    for (status, expected) in [("0", None), ("14", Some(Refusal::Capacity))] {
        let response = Response::builder()
            .header("content-type", GRPC)
            .header("grpc-status", status)
            .body(ScriptedBody::new().pause())
            .expect("a head");
        let response = peek_at(StreamPeekLayer::new(), Request::new(()), response).await;
        assert_eq!(refusal(&response), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn stream_that_breaks_off_before_its_content_is_a_failure() {
    for body in [
        ScriptedBody::new(),
        ScriptedBody::new().data(START),
        chunks([&CONTENT[..30]]),
    ] {
        let response = peek(SSE, body.error("reset by peer")).await;
        assert_eq!(response.status(), 502);
        assert_eq!(refusal(&response), Some(Refusal::Failing));
        let message = "the upstream's response broke off before its first content";
        let expected = json!({"type": "error", "error": {"type": "api_error", "message": message}});
        assert_eq!(json(response).await, expected);
    }

    let body = ScriptedBody::new().data(event("messageStart", "{}"));
    let response = peek(EVENT_STREAM, body.error("reset by peer")).await;
    assert_eq!(response.status(), 502);
    assert!(json(response).await["message"].is_string());

    let response = peek(GRPC, ScriptedBody::new().error("reset by peer")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(refusal(&response), Some(Refusal::Failing));
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(bytes(response).await, "");
}

#[tokio::test(start_paused = true)]
async fn body_error_after_the_content_is_passed_on() {
    let body = ScriptedBody::new().data(CONTENT).error("reset by peer");
    let mut body = peek(SSE, body).await.into_body();
    assert!(body.frame().await.expect("a frame").is_ok());
    let error = body.frame().await.expect("a frame").expect_err("an error");
    assert_eq!(error.to_string(), "reset by peer");
    assert!(body.frame().await.is_none());
}

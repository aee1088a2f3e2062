//! Errors after the content: they are counted.

use super::*;

/// How often the backend's answers broke, after a stream of such chunks was read to its end.
async fn broken(content_type: &'static str, body: ScriptedBody) -> u64 {
    let pool = pool();
    let mut request = Request::new(());
    request.extensions_mut().insert(select(&pool));
    let response = peek_at(StreamPeekLayer::new(), request, respond(content_type, body)).await;
    assert_eq!(refusal(&response), None);
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            break;
        }
    }
    drop(body);
    pool.snapshot(Scope::BACKEND, Instant::now())[0]
        .counts()
        .broken
}

#[tokio::test(start_paused = true)]
async fn error_after_the_content_is_counted_once() {
    let failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}}}\n\n";
    let one_chunk = [CONTENT, OVERLOADED].concat();
    let invalid = "data: {\"error\":{\"type\":\"invalid_request_error\"}}\n\n";
    let both = [CONTENT, invalid, OVERLOADED].concat();
    let table = [
        (&[CONTENT, CONTENT][..], 0),
        (&[CONTENT, OVERLOADED], 1),
        (&[START, CONTENT, PING, CONTENT, OVERLOADED], 1),
        (&[CONTENT, OVERLOADED, OVERLOADED], 1),
        (
            &[
                CONTENT,
                &OVERLOADED[..20],
                &OVERLOADED[20..60],
                &OVERLOADED[60..],
            ],
            1,
        ),
        (&[&one_chunk], 1),
        (&[&both], 1),
        (&[CONTENT, failed], 1),
        (&[CONTENT, "data: {\"error\":{\"message\":\"x\"}}\n\n"], 1),
        // Cut off by the end.
        (&[CONTENT, OVERLOADED.trim_ascii_end()], 1),
        // The request is at fault.
        (&[CONTENT, invalid], 0),
        // Only quoted, or none.
        (&[CONTENT, "data: {\"text\":\"{\\\"error\\\":{}}\"}\n\n"], 0),
        (&[CONTENT, "data: {\"error\":null}\n\n"], 0),
        (&[CONTENT, ": error\n\ndata: event: error\n\n"], 0),
    ];
    for (parts, expected) in table {
        let found = broken(
            SSE,
            chunks(parts.iter().map(|part| Bytes::from((*part).to_owned()))),
        )
        .await;
        assert_eq!(found, expected, "{parts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_other_forms_as_well() {
    let content = event("contentBlockDelta", "{}");
    let throttled = exception("throttlingException", "{}");
    let invalid = exception("validationException", "{}");
    for (last, expected) in [(&throttled, 1), (&invalid, 0), (&content, 0)] {
        let body = chunks([content.clone(), last.clone()]);
        assert_eq!(broken(EVENT_STREAM, body).await, expected);
    }
    // Behind a message that is too long to be looked at.
    let long = event("chunk", &"x".repeat(200_000));
    assert_eq!(
        broken(EVENT_STREAM, chunks([long, throttled.clone()])).await,
        1
    );
    // Behind what is no message.
    assert_eq!(
        broken(
            EVENT_STREAM,
            chunks([b"no event stream".to_vec(), throttled])
        )
        .await,
        0
    );

    for (status, expected) in [
        ("0", 0),
        ("8", 1),
        ("14", 1),
        ("13", 1),
        ("4", 1),
        ("2", 1),
        ("3", 0),
        ("5", 0),
    ] {
        let body = ScriptedBody::new().data("\0\0\0\0\0");
        let body = body.trailers(headers(&[("grpc-status", status)]));
        assert_eq!(broken(GRPC, body).await, expected, "{status}");
    }
    // Only gRPC has such trailers.
    let body = chunks([CONTENT]).trailers(headers(&[("grpc-status", "8")]));
    assert_eq!(broken(SSE, body).await, 0);
}

/// As a server that knows by the length that nothing will come.
#[tokio::test(start_paused = true)]
async fn end_that_is_not_waited_for_is_one() {
    let pool = pool();
    let mut request = Request::new(());
    request.extensions_mut().insert(select(&pool));
    let body = ScriptedBody::new()
        .data(CONTENT)
        .data(OVERLOADED.trim_ascii_end());
    let response = peek_at(StreamPeekLayer::new(), request, respond(SSE, body)).await;
    let mut body = response.into_body();
    while !body.is_end_stream() {
        body.frame().await.expect("a frame").expect("data");
    }
    let snapshot = pool.snapshot(Scope::BACKEND, Instant::now());
    assert_eq!(snapshot[0].counts().broken, 1);
}

#[tokio::test(start_paused = true)]
async fn also_where_the_stream_was_let_go_for_its_length() {
    let comments = ": comment\n".repeat(10_000);
    let body = chunks([comments, OVERLOADED.to_owned()]);
    assert_eq!(broken(SSE, body).await, 1);
}

#[cfg(feature = "throttle")]
#[tokio::test(start_paused = true)]
async fn error_before_the_body_breaks_off_is_counted_once() {
    use crate::throttle::ThrottleTrackerLayer;

    let pool = pool();
    let mut request = Request::new(());
    request.extensions_mut().insert(select(&pool));
    let body = chunks([CONTENT, OVERLOADED]).error("reset by peer");
    let mut response = Some(respond(SSE, body));
    let probe = Probe::new(move |_| {
        let response = response.take().expect("one request");
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let service = ThrottleTrackerLayer::new().layer(StreamPeekLayer::new().layer(probe));
    let Ok(response) = service.oneshot(request).await;
    response.into_body().collect().await.expect_err("a reset");
    let snapshot = pool.snapshot(Scope::BACKEND, Instant::now());
    assert_eq!(snapshot[0].counts().broken, 1);
}

#[tokio::test(start_paused = true)]
async fn error_that_is_refused_is_not_counted() {
    let pool = pool();
    let mut request = Request::new(());
    request.extensions_mut().insert(select(&pool));
    let response = respond(SSE, chunks([START, OVERLOADED]));
    let response = peek_at(StreamPeekLayer::new(), request, response).await;
    assert_eq!(response.status(), 529);
    bytes(response).await;
    let snapshot = pool.snapshot(Scope::BACKEND, Instant::now());
    assert_eq!(snapshot[0].counts().broken, 0);
}

/// Most chunks are not parsed: those that are whole events and have no word of an error.
#[tokio::test(start_paused = true)]
async fn error_is_found_among_chunks_that_are_not_parsed() {
    let data = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    for (error, expected) in [
        ("data: {\"error\":{\"code\":\"server_error\"}}\n\n", 1),
        (
            "data: x\n\ndata: {\"error\":{\"code\":\"server_error\"}}\n\n",
            1,
        ),
        (
            "data: x\rdata: y\r\revent: internalServerException\ndata: {}\n\n",
            1,
        ),
        (
            "event: internalServerException\ndata: {\"message\":\"x\"}\n\n",
            1,
        ),
        ("data: an error and an exception are words\n\n", 0),
        ("data: {\"content\":\"\\\"error\\\"\"}\n\n", 0),
    ] {
        let body = chunks([START, CONTENT, data, data, error, data]);
        assert_eq!(broken(SSE, body).await, expected, "{error}");
        // The error may be split anywhere.
        let (start, end) = error.split_at(error.len() / 2);
        let body = chunks([START, CONTENT, data, start, end, data]);
        assert_eq!(broken(SSE, body).await, expected, "{error}");
    }
}

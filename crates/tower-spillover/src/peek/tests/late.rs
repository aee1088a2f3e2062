//! Errors after the content, which are counted as broken responses.

use super::*;

/// Reads a stream to its end, and returns the number of broken responses of the backend.
async fn count_broken(content_type: &'static str, body: ScriptedBody) -> u64 {
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
        // The end of the body cuts off the event.
        (&[CONTENT, OVERLOADED.trim_ascii_end()], 1),
        // The error is caused by the request.
        (&[CONTENT, invalid], 0),
        // A quoted error, a null error, and an error in a comment.
        (&[CONTENT, "data: {\"text\":\"{\\\"error\\\":{}}\"}\n\n"], 0),
        (&[CONTENT, "data: {\"error\":null}\n\n"], 0),
        (&[CONTENT, ": error\n\ndata: event: error\n\n"], 0),
    ];
    for (parts, expected) in table {
        let count = count_broken(
            SSE,
            chunks(parts.iter().map(|part| Bytes::from((*part).to_owned()))),
        )
        .await;
        assert_eq!(count, expected, "{parts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn error_after_the_content_of_event_streams_and_grpc_is_counted() {
    let content = event("contentBlockDelta", "{}");
    let throttled = exception("throttlingException", "{}");
    let invalid = exception("validationException", "{}");
    for (last, expected) in [(&throttled, 1), (&invalid, 0), (&content, 0)] {
        let body = chunks([content.clone(), last.clone()]);
        assert_eq!(count_broken(EVENT_STREAM, body).await, expected);
    }
    // An error after a message that is too long to be read.
    let long = event("chunk", &"x".repeat(200_000));
    assert_eq!(
        count_broken(EVENT_STREAM, chunks([long, throttled.clone()])).await,
        1
    );
    // An error after bytes that are not a message.
    assert_eq!(
        count_broken(
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
        assert_eq!(count_broken(GRPC, body).await, expected, "{status}");
    }
    // The trailers of other formats are not read.
    let body = chunks([CONTENT]).trailers(headers(&[("grpc-status", "8")]));
    assert_eq!(count_broken(SSE, body).await, 0);
}

/// Stops reading when the body reports its end, as a server does that knows the length of the body.
#[tokio::test(start_paused = true)]
async fn error_cut_off_by_the_end_is_counted_if_the_end_is_not_polled() {
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
async fn error_after_a_release_at_max_held_is_counted() {
    let comments = ": comment\n".repeat(10_000);
    let body = chunks([comments, OVERLOADED.to_owned()]);
    assert_eq!(count_broken(SSE, body).await, 1);
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
async fn error_before_the_content_is_not_counted_as_count_broken() {
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

/// Chunks of whole events are not parsed unless they have the word `error` or `exception`.
#[tokio::test(start_paused = true)]
async fn error_between_chunks_that_are_not_parsed_is_counted() {
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
        assert_eq!(count_broken(SSE, body).await, expected, "{error}");
        // The error is split between two chunks.
        let (start, end) = error.split_at(error.len() / 2);
        let body = chunks([START, CONTENT, data, start, end, data]);
        assert_eq!(count_broken(SSE, body).await, expected, "{error}");
    }
}

//! The time for which a stream is held, and the bytes that are passed on.

use http::header::CONTENT_ENCODING;
use spillover_core::layer::AttemptsProtocol;
use tokio_test::{assert_pending, assert_ready, task};

use super::*;

#[tokio::test(start_paused = true)]
async fn content_releases_all_held_bytes() {
    for content_type in [SSE, "text/event-stream; charset=utf-8"] {
        let body = chunks([START, PING, CONTENT, "data: [DONE]\n\n"]);
        let handle = body.handle();
        let response = peek(content_type, body).await;
        assert_eq!(
            (response.status(), refusal(&response)),
            (StatusCode::OK, None)
        );
        assert_eq!(handle.data_frames(), 3, "no more is read than is needed");
        let whole = [START, PING, CONTENT, "data: [DONE]\n\n"].concat();
        assert_eq!(bytes(response).await, whole);
        assert_eq!(handle.polls_after_end(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn head_is_returned_at_the_first_content() {
    let body = ScriptedBody::new().data(START).pause();
    let handle = body.handle();
    let mut response = task::spawn(peek(SSE, body));
    assert_pending!(response.poll());
    handle.push_data(PING);
    assert!(response.is_woken());
    assert_pending!(response.poll());
    // Half of an event is not content yet.
    handle.push_data(&CONTENT[..20]);
    assert_pending!(response.poll());
    handle.push_data(&CONTENT[20..]);
    let response = assert_ready!(response.poll());

    let mut body = response.into_body();
    for expected in [START, PING, &CONTENT[..20], &CONTENT[20..]] {
        let frame = body.frame().await.expect("a frame").expect("data");
        assert_eq!(frame.into_data().expect("data"), expected);
    }
    // After the release, chunks pass without delay.
    let mut next = task::spawn(body.frame());
    assert_pending!(next.poll());
    handle.push_data("data: x\n\n");
    assert!(next.is_woken());
    let frame = assert_ready!(next.poll()).expect("a frame").expect("data");
    assert_eq!(frame.into_data().expect("data"), "data: x\n\n");
}

#[tokio::test(start_paused = true)]
async fn stream_is_released_after_max_wait() {
    for (layer, wait) in [
        (StreamPeekLayer::new(), 5 * SECOND),
        (StreamPeekLayer::new().max_wait(SECOND), SECOND),
        (
            StreamPeekLayer::new().max_wait(Duration::ZERO),
            Duration::ZERO,
        ),
    ] {
        let begun = Instant::now();
        let body = ScriptedBody::new().data(START).pause();
        let handle = body.handle();
        let response = peek_at(layer, Request::new(()), respond(SSE, body)).await;
        assert_eq!(Instant::now() - begun, wait);
        assert_eq!(response.status(), 200);

        // An error after the release is passed on.
        handle.push_data(OVERLOADED);
        handle.resume();
        assert_eq!(bytes(response).await, [START, OVERLOADED].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn max_wait_counts_from_the_head() {
    let begun = Instant::now();
    let body = ScriptedBody::new().pause();
    let handle = body.handle();
    tokio::spawn(async move {
        for _ in 0..20 {
            tokio::time::sleep(SECOND).await;
            handle.push_data(PING);
        }
    });
    let response = peek(SSE, body).await;
    assert_eq!(Instant::now() - begun, 5 * SECOND);
    assert_eq!(response.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn stream_is_released_while_the_request_body_is_awaited() {
    for content_type in [SSE, EVENT_STREAM, GRPC] {
        let attempts = Attempts::new();
        let mut request = Request::new(());
        request.extensions_mut().insert(attempts.clone());
        let body = ScriptedBody::new().data("").pause();
        let handle = body.handle();
        let response = respond(content_type, body);
        let mut response = task::spawn(peek_at(StreamPeekLayer::new(), request, response));
        assert_pending!(response.poll());

        // The client may wait for the head before it sends the rest of its request.
        attempts.set_awaiting_body(true);
        handle.push_data("");
        let response = assert_ready!(response.poll());
        assert_eq!(
            (response.status(), refusal(&response)),
            (StatusCode::OK, None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn longest_max_wait_does_not_overflow() {
    let layer = StreamPeekLayer::new().max_wait(Duration::MAX);
    let body = ScriptedBody::new().data(START).pause();
    let handle = body.handle();
    let request = Request::new(());
    let mut response = task::spawn(peek_at(layer, request, respond(SSE, body)));
    assert_pending!(response.poll());
    tokio::time::advance(1_000_000 * SECOND).await;
    assert_pending!(response.poll());
    handle.push_data(OVERLOADED);
    assert_eq!(assert_ready!(response.poll()).status(), 529);
}

#[tokio::test(start_paused = true)]
async fn stream_is_released_at_max_held() {
    let chunk = Bytes::from(": comment\n".repeat(100));
    let body = (0..1000).fold(ScriptedBody::new(), |body, _| body.data(chunk.clone()));
    let handle = body.handle();
    let response = peek(SSE, body.data(OVERLOADED)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(handle.data_frames(), 66, "the chunks up to 64 KiB");
    assert_eq!(
        bytes(response).await.len(),
        1000 * chunk.len() + OVERLOADED.len()
    );

    for (max_held, status) in [(0, 200), (START.len(), 200), (START.len() + 1, 529)] {
        let layer = StreamPeekLayer::new().max_held(max_held);
        let body = chunks([START, OVERLOADED]);
        let handle = body.handle();
        let response = peek_at(layer, Request::new(()), respond(SSE, body)).await;
        assert_eq!(response.status(), status, "{max_held}");
        assert!(max_held > 0 || handle.polls() == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn stream_with_an_endless_line_is_released() {
    let body = (0..100).fold(ScriptedBody::new().data("data: "), |body, _| {
        body.data(vec![b'x'; 1000])
    });
    let response = peek(SSE, body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(bytes(response).await.len(), 100_006);
}

#[tokio::test(start_paused = true)]
async fn stream_that_ends_without_content_is_passed_on() {
    for parts in [&[][..], &[START], &[START, PING], &["event: error\n\n"]] {
        let body = chunks(parts.iter().copied());
        let handle = body.handle();
        let response = peek(SSE, body).await;
        assert_eq!(
            (response.status(), refusal(&response)),
            (StatusCode::OK, None)
        );
        assert_eq!(bytes(response).await, parts.concat());
        assert_eq!(handle.polls_after_end(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_and_size_hints_are_passed_on() {
    let trailers = headers(&[("x-end", "1")]);
    let body = ScriptedBody::new().data(START).trailers(trailers.clone());
    let response = peek(SSE, body.with_exact_size()).await;
    assert_eq!(
        response.body().size_hint().exact(),
        Some(START.len() as u64)
    );
    assert!(!response.body().is_end_stream());
    let collected = response.into_body().collect().await.expect("a whole body");
    assert_eq!(collected.trailers(), Some(&trailers));
    assert_eq!(collected.to_bytes(), START);

    // Trailers with an error status are an error in gRPC only.
    let body = ScriptedBody::new().trailers(headers(&[("grpc-status", "8")]));
    let response = peek(SSE, body).await;
    assert_eq!(refusal(&response), None);
    assert!(!response.headers().contains_key("grpc-status"));

    let body = ScriptedBody::new().data(CONTENT).data("data: x\n\n");
    let mut body = peek(SSE, body.with_exact_size()).await.into_body();
    for left in [9, 0] {
        body.frame().await.expect("a frame").expect("data");
        assert_eq!(body.size_hint().exact(), Some(left));
    }
    assert!(body.is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn response_that_is_not_a_successful_stream_passes_unchanged() {
    let json = |status: u16, content_type| {
        let response = Response::builder().status(status);
        response.header("content-type", content_type)
    };
    let cases = [
        json(200, "text/plain"),
        json(429, SSE),
        json(304, SSE),
        json(200, "application/grpc-web"),
        json(200, SSE).header(CONTENT_ENCODING, "dcb"),
        Response::builder(),
    ];
    for case in cases {
        let body = ScriptedBody::new().data(OVERLOADED);
        let handle = body.handle();
        let response = case.body(body).expect("a head");
        let status = response.status();
        let response = peek_at(StreamPeekLayer::new(), Request::new(()), response).await;
        assert_eq!((response.status(), refusal(&response)), (status, None));
        assert_eq!(handle.polls(), 0);
        assert_eq!(bytes(response).await, OVERLOADED);
    }
    // A body that has ended already, such as that of a response to HEAD.
    let body = ScriptedBody::new();
    let handle = body.handle();
    let response = peek(SSE, body).await;
    assert!(response.body().is_end_stream());
    assert_eq!(handle.polls(), 0);
}

#[tokio::test(start_paused = true)]
async fn held_stream_is_dropped_when_the_client_leaves() {
    let body = ScriptedBody::new().data(START).pause();
    let handle = body.handle();
    let mut response = task::spawn(peek(SSE, body));
    assert_pending!(response.poll());
    assert!(!handle.is_dropped());
    drop(response);
    assert!(handle.is_dropped());

    let body = ScriptedBody::new().data(CONTENT).pause();
    let handle = body.handle();
    drop(peek(SSE, body).await);
    assert!(handle.is_dropped());
}

#[tokio::test(start_paused = true)]
async fn grpc_stream_is_held_until_its_first_message() {
    let ok = headers(&[("grpc-status", "0")]);
    let body = ScriptedBody::new().data("").pause();
    let handle = body.handle();
    let mut response = task::spawn(peek(GRPC, body));
    assert_pending!(response.poll());
    handle.push_data("\0\0\0\0\0");
    let response = assert_ready!(response.poll());
    handle.push_trailers(ok.clone());
    handle.resume();
    let collected = response.into_body().collect().await.expect("a body");
    assert_eq!(collected.trailers(), Some(&ok));

    // A successful stream without messages is passed on.
    let response = peek(GRPC, ScriptedBody::new().trailers(ok.clone())).await;
    assert_eq!(refusal(&response), None);
    assert!(!response.headers().contains_key("grpc-status"));
    let collected = response.into_body().collect().await.expect("a body");
    assert_eq!(collected.trailers(), Some(&ok));
}

#[tokio::test(start_paused = true)]
async fn json_error_with_success_status_is_a_refusal() {
    for (content_type, body, status, kind) in [
        (
            "application/json",
            r#"{"error":{"message":"Provider returned error","code":429},"user_id":"u"}"#,
            429,
            Refusal::Throttled,
        ),
        (
            "application/json; charset=utf-8",
            r#"{"error":{"message":"Upstream error","code":502}}"#,
            502,
            Refusal::Failing,
        ),
        (
            "application/x-ndjson",
            r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            529,
            Refusal::Capacity,
        ),
    ] {
        let (start, end) = body.split_at(9);
        let script = ScriptedBody::new().data(start).data(end);
        let response = peek(content_type, script).await;
        assert_eq!(
            (response.status().as_u16(), refusal(&response)),
            (status, Some(kind)),
            "{body}"
        );
        assert_eq!(bytes(response).await, body);
    }
}

#[tokio::test(start_paused = true)]
async fn json_without_an_error_passes_unchanged() {
    for body in [
        r#"{"id":"chatcmpl-1","choices":[],"error":{"code":429}}"#,
        r#"{"error":null,"id":"resp_1"}"#,
        r#"{"error":{"code":-32000},"jsonrpc":"2.0","id":1}"#,
        "[]",
        "",
    ] {
        let response = peek("application/json", ScriptedBody::new().data(body)).await;
        assert_eq!(
            (response.status().as_u16(), refusal(&response)),
            (200, None)
        );
        assert_eq!(bytes(response).await, body);
    }
    let response = Response::builder().header("content-type", "application/json");
    let long = response.header("content-length", "100000");
    let body = ScriptedBody::new().data("{\"error\":{\"code\":429}}");
    let handle = body.handle();
    let response = peek_at(StreamPeekLayer::new(), post(), long.body(body).unwrap()).await;
    assert_eq!((response.status().as_u16(), handle.polls()), (200, 0));
}

#[tokio::test(start_paused = true)]
async fn content_of_a_file_is_no_refusal() {
    let body = ScriptedBody::new().data(r#"{"error":{"code":429}}"#);
    let handle = body.handle();
    let request = Request::get("/v1/files/file-1/content").body(());
    let response = respond("application/json", body);
    let response = peek_at(StreamPeekLayer::new(), request.unwrap(), response).await;
    assert_eq!((response.status().as_u16(), handle.polls()), (200, 0));
}

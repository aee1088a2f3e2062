//! The deadline for the first content of a stream.

use spillover_core::{Affinity, layer::AttemptsProtocol};

use super::*;

const LIMIT: Duration = Duration::from_secs(3);

fn layer() -> StreamPeekLayer {
    StreamPeekLayer::new().first_token(LIMIT)
}

/// Creates a request that was sent to the first of two backends.
fn request(attempts: &Attempts) -> Request<()> {
    let backends = ["a", "b"].map(|label| {
        let backend = Backend::builder(label).url("http://a.example");
        backend.build().expect("a backend")
    });
    let selected = select(&Pool::new(backends).expect("a pool"));
    attempts.mark(selected.index());
    let mut request = post();
    request.extensions_mut().insert(selected);
    request.extensions_mut().insert(attempts.clone());
    request
}

fn stalled(chunks: &[&'static str]) -> ScriptedBody {
    let body = chunks
        .iter()
        .fold(ScriptedBody::new(), |body, chunk| body.data(*chunk));
    body.pause()
}

/// Returns the status and the refusal of the response, and the time until it.
async fn outcome(
    layer: StreamPeekLayer,
    request: Request<()>,
    response: Response<ScriptedBody>,
) -> (u16, Option<Refusal>, Duration) {
    let begun = Instant::now();
    let response = peek_at(layer, request, response).await;
    let status = response.status().as_u16();
    (status, refusal(&response), Instant::now() - begun)
}

#[tokio::test(start_paused = true)]
async fn stream_without_content_at_the_deadline_is_refused() {
    let streams: [&[&str]; 10] = [
        &[],
        &[": OPENROUTER PROCESSING\n\n", ": keep-alive\n\n"],
        &[START, PING, PING],
        &[
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        ],
        &["event: message-start\ndata: {\"type\":\"message-start\"}\n\n"],
        &[
            "event: response.created\ndata: {\"type\":\"response.created\"}\n\n",
            "event: response.in_progress\ndata: {\"type\":\"response.in_progress\"}\n\n",
        ],
        &["event: thread.run.queued\ndata: {}\n\n"],
        &[
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        ],
        &["data: {\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\n"],
        // The stream stalls in the middle of its first content.
        &["data: {\"choices\":[{\"delta\":{\"content\":\"H"],
    ];
    for chunks in streams {
        let request = request(&Attempts::new());
        let outcome = outcome(layer(), request, respond(SSE, stalled(chunks))).await;
        assert_eq!(outcome, (504, Some(Refusal::Failing), LIMIT), "{chunks:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stream_of_any_format_is_refused_at_the_deadline() {
    for (content_type, begin, status) in [
        (SSE, START.as_bytes().to_vec(), 504),
        (EVENT_STREAM, event("messageStart", "{}"), 504),
        (GRPC, Vec::new(), 200),
    ] {
        let body = ScriptedBody::new().data(begin).pause();
        let begun = Instant::now();
        let response = respond(content_type, body);
        let response = peek_at(layer(), request(&Attempts::new()), response).await;
        assert_eq!(Instant::now() - begun, LIMIT);
        assert_eq!(response.status(), status);
        assert_eq!(refusal(&response), Some(Refusal::Failing));
        if content_type == GRPC {
            assert_eq!(response.headers()["grpc-status"], "14");
            let message = &response.headers()["grpc-message"];
            assert_eq!(message, "the upstream's response had no content within 3s");
        } else {
            let report = response.extensions().get::<Report>().expect("a report");
            let cause = "the upstream's response had no content within 3s";
            assert_eq!(report.cause(), Some(cause));
            assert_eq!(response.headers()["content-type"], "application/json");
            let body = bytes(response).await;
            assert!(body.windows(cause.len()).any(|it| it == cause.as_bytes()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stream_with_content_before_the_deadline_is_passed_on() {
    let body = stalled(&[START]);
    let handle = body.handle();
    let response = respond(SSE, body);
    let peeking = tokio::spawn(peek_at(layer(), request(&Attempts::new()), response));
    tokio::time::sleep(LIMIT - Duration::from_millis(1)).await;
    handle.push_data(CONTENT);
    let response = peeking.await.expect("a response");
    assert_eq!(
        (response.status(), refusal(&response)),
        (StatusCode::OK, None)
    );
    // After the first content no deadline applies.
    let mut body = response.into_body();
    for expected in [START, CONTENT] {
        let frame = body.frame().await.expect("a frame").expect("data");
        assert_eq!(frame.into_data().expect("data"), expected);
    }
    tokio::time::sleep(10 * LIMIT).await;
    handle.push_data(PING);
    let frame = body.frame().await.expect("a frame").expect("data");
    assert_eq!(frame.into_data().expect("data"), PING);
}

#[tokio::test(start_paused = true)]
async fn deadline_counts_from_the_request() {
    for (head_after, content_after, status, took) in [
        // Content that comes together with a late head is in time. Content after a late head is not.
        (4, None, 504, 4),
        (4, Some(0), 200, 4),
        (2, None, 504, 3),
        (2, Some(0), 200, 2),
    ] {
        let mut body = Some(match content_after {
            Some(_) => ScriptedBody::new().data(START).data(CONTENT).pause(),
            None => ScriptedBody::new().data(START).pause(),
        });
        let probe = Probe::new(move |_| {
            let body = body.take().expect("one request");
            async move {
                tokio::time::sleep(head_after * SECOND).await;
                Ok::<_, Infallible>(respond(SSE, body))
            }
        });
        let begun = Instant::now();
        let service = layer().layer(probe);
        let Ok(response) = service.oneshot(request(&Attempts::new())).await;
        assert_eq!(response.status(), status);
        assert_eq!((Instant::now() - begun).as_secs(), took);
    }
}

#[tokio::test(start_paused = true)]
async fn stream_is_passed_on_at_the_deadline_if_no_other_backend_can_be_tried() {
    let cases: [fn(&Attempts); 4] = [
        |attempts| attempts.mark(1),
        Attempts::set_last,
        |attempts| attempts.set_body_held(true),
        Attempts::set_request_failed,
    ];
    for (number, prepare) in cases.into_iter().enumerate() {
        let attempts = Attempts::new();
        let request = request(&attempts);
        prepare(&attempts);
        let body = stalled(&[START]);
        let handle = body.handle();
        let begun = Instant::now();
        let response = peek_at(layer(), request, respond(SSE, body)).await;
        assert_eq!(response.status(), 200, "{number}");
        assert_eq!(Instant::now() - begun, 5 * SECOND, "{number}");
        handle.push_data(CONTENT);
        handle.resume();
        assert_eq!(bytes(response).await, [START, CONTENT].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn stream_of_a_pinned_request_is_not_refused() {
    let pool = pool();
    let affinity = Affinity::to_backend("a").pinned();
    let query = spillover_core::Query::new().affinity(affinity);
    let strategy = spillover_core::Weighted::default();
    let selected = pool.select(&query.strategy(&strategy), Instant::now(), 0);
    let attempts = Attempts::new();
    attempts.mark(0);
    let mut request = Request::new(());
    request
        .extensions_mut()
        .insert(selected.expect("it is open"));
    request.extensions_mut().insert(attempts);
    let outcome = outcome(layer(), request, respond(SSE, stalled(&[START]))).await;
    assert_eq!(outcome, (200, None, 5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn stream_is_held_until_the_deadline_instead_of_max_wait() {
    for (limit, max_wait, expected) in [
        (20, 5, (504, 20)),
        (1, 5, (504, 1)),
        (20, 0, (504, 20)),
        (0, 5, (504, 0)),
    ] {
        let layer = StreamPeekLayer::new()
            .first_token(limit * SECOND)
            .max_wait(max_wait * SECOND);
        let request = request(&Attempts::new());
        let (status, _, took) = outcome(layer, request, respond(SSE, stalled(&[START]))).await;
        assert_eq!((status, took.as_secs() as u32), expected);
    }
    // No other backend is left at the deadline: the stream is passed on.
    let attempts = Attempts::new();
    let layer = StreamPeekLayer::new().first_token(20 * SECOND);
    let response = respond(SSE, stalled(&[START]));
    let peeking = tokio::spawn(outcome(layer, request(&attempts), response));
    tokio::time::sleep(SECOND).await;
    attempts.mark(1);
    assert_eq!(peeking.await.expect("a response"), (200, None, 20 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn deadline_applies_without_a_selected_backend() {
    let outcome = outcome(layer(), Request::new(()), respond(SSE, stalled(&[START]))).await;
    assert_eq!(outcome, (504, Some(Refusal::Failing), LIMIT));

    // A backend was selected, but no retry layer tries another one: the stream is not refused.
    let mut request = request(&Attempts::new());
    request.extensions_mut().remove::<Attempts>();
    let outcome = self::outcome(layer(), request, respond(SSE, stalled(&[START]))).await;
    assert_eq!(outcome, (200, None, 5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn max_held_and_errors_apply_before_the_deadline() {
    let comments: &'static str = Box::leak(": keep-alive\n\n".repeat(6000).into_boxed_str());
    let request_one = request(&Attempts::new());
    let outcome_one = outcome(layer(), request_one, respond(SSE, stalled(&[comments]))).await;
    assert_eq!(outcome_one, (200, None, Duration::ZERO));

    let request_two = request(&Attempts::new());
    let response = respond(SSE, stalled(&[START, OVERLOADED]));
    let outcome_two = outcome(layer(), request_two, response).await;
    assert_eq!(outcome_two, (529, Some(Refusal::Capacity), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn response_that_is_not_a_stream_has_no_deadline() {
    let body = ScriptedBody::new().pause();
    let response = respond("application/json", body);
    let outcome = outcome(layer(), request(&Attempts::new()), response).await;
    // A JSON response is held for 5 s, since it may be an error.
    assert_eq!(outcome, (200, None, 5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn stream_is_dropped_when_the_client_leaves() {
    let body = stalled(&[START]);
    let handle = body.handle();
    let peeking = tokio::spawn(peek_at(
        layer(),
        request(&Attempts::new()),
        respond(SSE, body),
    ));
    tokio::task::yield_now().await;
    peeking.abort();
    assert!(peeking.await.expect_err("it was aborted").is_cancelled());
    assert!(handle.is_dropped());
}

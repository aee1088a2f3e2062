//! The answers that are retried, and the number of attempts.

use http::{HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt;
use spillover_core::{Answer, Attempts, Class, GrpcClassifier, Outcome, layer::AttemptsProtocol};
use spillover_testing::Probe;
use tokio::time::Instant;
use tower::ServiceExt;
use tower_layer::Layer;

use super::{inner::*, *};

#[tokio::test(start_paused = true)]
async fn success_and_client_error_are_not_retried() {
    for status in [200, 204, 304, 400, 401, 403, 404, 422] {
        let service = RetryThrottledLayer::new().layer(backends([Ok(status), Ok(200)]));
        assert_eq!(send(service).await, Ok((status, 0)));
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_is_retried_without_a_delay() {
    let answers = [
        Ok(429),
        Ok(500),
        Err("connection refused"),
        Ok(503),
        Ok(200),
    ];
    let service = RetryThrottledLayer::new().layer(backends(answers));
    let start = Instant::now();

    // One poll makes all attempts.
    let mut sent = task::spawn(send(service));
    assert_eq!(assert_ready!(sent.poll()), Ok((200, 4)));
    assert_eq!(Instant::now(), start);
}

#[tokio::test(start_paused = true)]
async fn last_answer_is_returned_when_no_backend_is_left() {
    let layer = RetryThrottledLayer::new();
    assert_eq!(
        send(layer.layer(backends([Ok(500), Ok(503)]))).await,
        Ok((503, 1))
    );
    assert_eq!(
        send(layer.layer(backends([Ok(500), Ok(429)]))).await,
        Ok((429, 1))
    );
    assert_eq!(
        send(layer.layer(backends([Ok(500), Err("reset")]))).await,
        Err("reset")
    );
}

#[tokio::test(start_paused = true)]
async fn attempts_are_limited_by_max_attempts() {
    for (max, attempts) in [(0, 1), (1, 1), (2, 2), (3, 3), (9, 4)] {
        let inner = backends([Ok(429), Ok(429), Ok(429), Ok(429)]);
        let service = RetryThrottledLayer::new().max_attempts(max).layer(inner);
        assert_eq!(
            send(service).await,
            Ok((429, attempts - 1)),
            "at most {max}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn hedges_count_towards_max_attempts() {
    // The first attempt marks two backends, as a hedge does.
    let hedged = |request: Request<_>| {
        if mark_next(&request) == 0 {
            mark_next(&request);
        }
        request
    };
    for (max, last) in [(2, 0), (3, 1), (4, 2)] {
        let inner = answers([Ok(429), Ok(429), Ok(429)]).map_request(hedged);
        let service = RetryThrottledLayer::new().max_attempts(max).layer(inner);
        assert_eq!(send(service).await, Ok((429, last)), "at most {max}");
    }
}

#[tokio::test(start_paused = true)]
async fn request_without_a_selector_is_retried_only_up_to_max_attempts() {
    let service = RetryThrottledLayer::new().layer(answers([Ok(429), Ok(200)]));
    assert_eq!(send(service).await, Ok((429, 0)));

    let service = RetryThrottledLayer::new()
        .max_attempts(2)
        .layer(answers([Ok(429), Ok(200)]));
    assert_eq!(send(service).await, Ok((200, 1)));
}

#[tokio::test(start_paused = true)]
async fn attempt_without_a_selected_backend_is_the_last() {
    let mark_first = |request: Request<_>| {
        if attempts(request.extensions()).count() == 0 {
            mark(&request, 0);
        }
        request
    };
    let inner = answers([Ok(429), Ok(429), Ok(200)]).map_request(mark_first);
    let service = RetryThrottledLayer::new().layer(inner);
    assert_eq!(send(service).await, Ok((429, 1)));
}

#[tokio::test(start_paused = true)]
async fn response_has_the_number_of_attempts() {
    let service = RetryThrottledLayer::new().layer(backends([Ok(429), Ok(502), Ok(200)]));
    let response = service.oneshot(request(ScriptedBody::new())).await.unwrap();
    assert_eq!(attempts(response.extensions()).count(), 3);
    assert!((0..3).all(|index| attempts(response.extensions()).contains(index)));

    // A response without `Attempts` took one attempt.
    let service = RetryThrottledLayer::new().layer(backends([Ok(200), Ok(200)]));
    let response = service.oneshot(request(ScriptedBody::new())).await.unwrap();
    assert!(response.extensions().get::<Attempts>().is_none());

    // No attempt was made if an inner layer answered locally.
    let service = RetryThrottledLayer::new().layer(answers([Ok(503)]));
    let response = service.oneshot(request(ScriptedBody::new())).await.unwrap();
    assert_eq!(attempts(response.extensions()).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_follows_when_the_backends_are_exhausted() {
    for (last, answered) in [(4, Ok((200, 2))), (2, Ok((429, 0)))] {
        let inner =
            self::answers([Ok(429), Ok(503), Ok(200)]).map_request(move |request: Request<_>| {
                let attempt = mark_next(&request);
                attempts(request.extensions()).set_exhausted(attempt + 1 == last);
                request
            });
        let service = RetryThrottledLayer::new().layer(inner);
        assert_eq!(send(service).await, answered);
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_a_copy_of_the_original_request() {
    let inner: Inner = Probe::new(|mut request: Request<ReplayBody<_>>| async move {
        let attempt = mark_next(&request);
        assert_eq!(request.uri(), "/v1/chat/completions?x=1");
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.version(), Version::HTTP_2);
        assert_eq!(request.headers()["x-client"], "1");
        let many: Vec<_> = request.headers().get_all("x-many").iter().collect();
        assert_eq!(many, ["one", "two"]);
        assert_eq!(request.headers().len(), 3);
        assert_eq!(request.extensions().get::<&str>(), Some(&"the client's"));
        assert!(request.extensions().get::<usize>().is_none());

        // An inner layer changes this attempt. The next attempt does not have these changes.
        *request.uri_mut() = "https://backend.example/other".parse().unwrap();
        request
            .headers_mut()
            .insert("x-client", "2".parse().unwrap());
        request.extensions_mut().insert(attempt);
        let body = request.into_body().collect().await.unwrap();
        assert_eq!(body.trailers(), Some(&trailers()));
        assert_eq!(body.to_bytes(), "one, two");
        Ok(response(if attempt == 2 { 200 } else { 429 }, 0))
    });
    let service = RetryThrottledLayer::new().layer(inner);
    let body = ScriptedBody::new()
        .data("one, ")
        .pending()
        .data("two")
        .trailers(trailers());
    let mut request = request(body);
    *request.version_mut() = Version::HTTP_2;
    for value in ["one", "two"] {
        let headers = request.headers_mut();
        headers.append("x-many", HeaderValue::from_static(value));
    }
    request.extensions_mut().insert("the client's");
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            attempts(response.extensions()).count()
        ),
        (200, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn outcome_of_an_inner_layer_decides_whether_to_retry() {
    let classified = |status, outcome: Outcome| {
        let answer = move |mut response: Response<_>| {
            if response.status() == status {
                response.extensions_mut().insert(outcome);
            }
            response
        };
        RetryThrottledLayer::new().layer(backends([Ok(status), Ok(202)]).map_response(answer))
    };
    let throttled = Outcome::throttled(std::time::Duration::from_secs(1));
    assert_eq!(send(classified(200, throttled)).await, Ok((202, 1)));
    let last = Outcome::throttled(std::time::Duration::from_secs(1)).without_retry();
    assert_eq!(send(classified(429, last)).await, Ok((429, 0)));
    assert_eq!(
        send(classified(429, Outcome::client_error())).await,
        Ok((429, 0))
    );
}

#[tokio::test(start_paused = true)]
async fn classifier_decides_without_an_outcome() {
    let classify = |answer: &Answer<'_, &str>| match (answer.status(), answer.as_error()) {
        (Some(status), _) if status == 403 => Class::Throttled,
        (None, Some(&"bad request")) => Class::ClientError,
        (None, _) => Class::Failing,
        _ => Class::Success,
    };
    let layer = RetryThrottledLayer::new()
        .max_attempts(2)
        .with_classify(classify);
    assert_eq!(
        send(layer.layer(backends([Ok(403), Ok(200)]))).await,
        Ok((200, 1))
    );
    assert_eq!(
        send(layer.layer(backends([Ok(429), Ok(200)]))).await,
        Ok((429, 0))
    );
    assert_eq!(
        send(layer.layer(backends([Err("reset"), Ok(200)]))).await,
        Ok((200, 1))
    );
    let refused = layer.layer(backends([Err("bad request"), Ok(200)]));
    assert_eq!(send(refused).await, Err("bad request"));
}

#[tokio::test(start_paused = true)]
async fn request_whose_body_exceeds_the_replay_limit_is_sent_once() {
    let limits = ReplayLimits::default().per_request(3);
    let layer = RetryThrottledLayer::new().replay_limits(limits);
    assert_eq!(
        send(layer.layer(backends([Ok(429), Ok(200)]))).await,
        Ok((429, 0))
    );
}

#[tokio::test(start_paused = true)]
async fn request_whose_body_fails_is_not_retried() {
    let service = RetryThrottledLayer::new().layer(backends([Err("broken pipe"), Ok(200)]));
    let body = ScriptedBody::new().data("one").error("client went away");
    assert_eq!(
        service.oneshot(request(body)).await.unwrap_err(),
        "broken pipe"
    );
}

#[tokio::test(start_paused = true)]
async fn failed_request_body_marks_the_request_as_failed() {
    let service = RetryThrottledLayer::new().layer(backends([Ok(500), Ok(200)]));
    let body = ScriptedBody::new().error("client went away");
    let response = service.oneshot(request(body)).await.unwrap();
    assert_eq!(*response.body(), 0);
    assert!(attempts(response.extensions()).is_request_failed());
}

#[tokio::test(start_paused = true)]
async fn request_marked_as_failed_by_an_inner_layer_is_not_retried() {
    let inner = backends([Ok(500), Ok(200)]).map_request(|request: Request<_>| {
        attempts(request.extensions()).set_request_failed();
        request
    });
    let service = RetryThrottledLayer::new().layer(inner);
    assert_eq!(send(service).await, Ok((500, 0)));
}

#[tokio::test(start_paused = true)]
async fn earlier_attempt_that_is_still_sending_reads_nothing_from_the_body_of_the_next() {
    for limit in [usize::MAX, 0] {
        // The first attempt answers 429 and keeps the body, like a connection that is still sending. The second attempt
        // reads the whole body.
        let mut sending = None;
        let inner: Inner = Probe::new(move |request: Request<ReplayBody<_>>| {
            mark(&request, 0);
            let body = match &mut sending {
                None => {
                    sending = Some(request.into_body());
                    None
                }
                Some(sending) => {
                    assert!(read_error(sending).is_superseded());
                    Some(request.into_body())
                }
            };
            async move {
                let Some(body) = body else {
                    return Ok(response(429, 0));
                };
                assert_eq!(body.collect().await.unwrap().to_bytes(), "question");
                Ok(response(200, 1))
            }
        });
        let limits = ReplayLimits::default().per_request(limit);
        let service = RetryThrottledLayer::new()
            .replay_limits(limits)
            .layer(inner);
        assert_eq!(send(service).await, Ok((200, 1)), "limit of {limit} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn nested_layers_count_their_attempts_separately() {
    fn choose<B>(request: Request<B>, index: usize) -> Request<B> {
        mark(&request, index);
        request
    }
    let inner: Probe<ReplayBody<ReplayBody<ScriptedBody>>, usize, &str> =
        Probe::new(|request: Request<ReplayBody<_>>| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "question");
            Ok(response(429, 0))
        });
    let handle = inner.handle();
    let layer = RetryThrottledLayer::new();
    let inner = layer
        .clone()
        .max_attempts(3)
        .layer(inner.map_request(|r| choose(r, 7)));
    let outer = layer
        .max_attempts(2)
        .layer(inner.map_request(|r| choose(r, 1)));

    let body = ScriptedBody::new().data("question");
    let response = outer.oneshot(request(body)).await.unwrap();
    assert_eq!(handle.calls(), 2 * 3);
    assert_eq!(attempts(response.extensions()).count(), 2);
    assert!(
        attempts(response.extensions()).contains(1) && !attempts(response.extensions()).contains(7)
    );
}

#[tokio::test(start_paused = true)]
async fn negative_grpc_pushback_forbids_a_retry() {
    for (pushback, attempts) in [("0", 2), ("-1", 1)] {
        let refuse = move |request: Request<_>| {
            mark_next(&request);
            let response = Response::builder()
                .header("grpc-status", "8")
                .header("grpc-retry-pushback-ms", pushback);
            std::future::ready(Ok(response.body(0).unwrap()))
        };
        let inner: Inner = Probe::new(refuse);
        let handle = inner.handle();
        let layer = RetryThrottledLayer::new().with_classify(GrpcClassifier::new());
        let service = layer.max_attempts(2).layer(inner);
        service.oneshot(request(ScriptedBody::new())).await.unwrap();
        assert_eq!(handle.calls(), attempts, "{pushback}");
    }
}

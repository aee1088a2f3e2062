//! Requests that a backend did not process, which are sent to the same backend once more.

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use spillover_testing::Probe;
use tower::{ServiceExt, retry::budget::TpsBudget};
use tower_layer::Layer;

use super::{inner::*, *};

/// Creates a service that answers in this order. An entry has the index of the backend, whether the backend processes the
/// attempt, and the status.
fn scripted<const N: usize>(script: [(usize, bool, u16); N]) -> Inner {
    let mut script = script.into_iter().enumerate();
    Probe::new(move |request: Request<ReplayBody<_>>| {
        let (attempt, (backend, is_processed, status)) =
            script.next().expect("one attempt too many");
        let attempts = attempts(request.extensions()).clone();
        async move {
            attempts.mark(backend);
            let body = request.into_body().collect().await;
            assert_eq!(body.unwrap().to_bytes(), "question", "{attempt}");
            if !is_processed {
                attempts.resend(backend);
            }
            Ok(response(status, attempt))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn unprocessed_request_is_sent_again_with_its_whole_body() {
    let service = RetryThrottledLayer::new().layer(scripted([(0, false, 502), (0, true, 200)]));
    let sent = request(ScriptedBody::new().data("ques").data("tion"));
    let response = service.oneshot(sent).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body()), (200, &1));
    assert_eq!(attempts(response.extensions()).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn max_attempts_counts_processed_attempts_only() {
    for (max, expected) in [(1, (503, 1)), (2, (429, 3)), (3, (200, 4))] {
        let inner = scripted([
            (0, false, 502),
            (0, true, 503),
            (1, false, 502),
            (1, true, 429),
            (2, true, 200),
        ]);
        let service = RetryThrottledLayer::new().max_attempts(max).layer(inner);
        assert_eq!(send(service).await, Ok(expected), "at most {max}");
    }
}

#[tokio::test(start_paused = true)]
async fn resend_is_not_charged_to_the_budget_for_client_retries() {
    let budget = || TpsBudget::new(Duration::from_secs(10), 0, 0.0);
    let sent = || {
        let mut request = request(ScriptedBody::new().data("question"));
        let count = "1".parse().unwrap();
        request
            .headers_mut()
            .insert("x-stainless-retry-count", count);
        request
    };
    let layer = RetryThrottledLayer::new().sdk_retry_budget(budget());
    let service = layer.layer(scripted([(0, false, 502), (0, true, 200)]));
    assert_eq!(service.oneshot(sent()).await.unwrap().status(), 200);
    // An attempt at another backend is charged.
    let layer = RetryThrottledLayer::new().sdk_retry_budget(budget());
    let service = layer.layer(scripted([(0, true, 502), (1, true, 200)]));
    assert_eq!(service.oneshot(sent()).await.unwrap().status(), 502);
}

#[tokio::test(start_paused = true)]
async fn unprocessed_request_whose_body_is_not_recorded_is_not_sent_again() {
    let limits = ReplayLimits::default().per_request(4);
    let layer = RetryThrottledLayer::new().replay_limits(limits);
    let service = layer.layer(scripted([(0, false, 502)]));
    assert_eq!(send(service).await, Ok((502, 0)));
}

//! Requests that are sent to the same backend once more.

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use spillover_testing::Probe;
use tower::{ServiceExt, retry::budget::TpsBudget};
use tower_layer::Layer;

use super::{inner::*, *};

/// Answers in this order: an attempt is at the backend with this index, whether it is processed or not.
fn lossy<const N: usize>(script: [(usize, bool, u16); N]) -> Inner {
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
async fn lost_request_is_sent_again_whole() {
    let service = RetryThrottledLayer::new().layer(lossy([(0, false, 502), (0, true, 200)]));
    let sent = request(ScriptedBody::new().data("ques").data("tion"));
    let response = service.oneshot(sent).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body()), (200, &1));
    assert_eq!(attempts(response.extensions()).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn most_attempts_are_of_those_that_were_processed() {
    for (max, expected) in [(1, (503, 1)), (2, (429, 3)), (3, (200, 4))] {
        let inner = lossy([
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
async fn budget_of_the_clients_retries_is_not_charged() {
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
    let service = layer.layer(lossy([(0, false, 502), (0, true, 200)]));
    assert_eq!(service.oneshot(sent()).await.unwrap().status(), 200);
    // Another backend is.
    let layer = RetryThrottledLayer::new().sdk_retry_budget(budget());
    let service = layer.layer(lossy([(0, true, 502), (1, true, 200)]));
    assert_eq!(service.oneshot(sent()).await.unwrap().status(), 502);
}

#[tokio::test(start_paused = true)]
async fn body_that_was_not_kept_is_not_sent_again() {
    let limits = ReplayLimits::default().per_request(4);
    let layer = RetryThrottledLayer::new().replay_limits(limits);
    let service = layer.layer(lossy([(0, false, 502)]));
    assert_eq!(send(service).await, Ok((502, 0)));
}

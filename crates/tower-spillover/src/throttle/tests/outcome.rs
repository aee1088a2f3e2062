//! The outcome of an answer, and the condition of the backend after it.

use spillover_core::{Answer, layer::AttemptsProtocol};

use super::*;

#[tokio::test(start_paused = true)]
async fn status_decides_the_class_and_the_condition() {
    let throttled = Condition::Throttled(10 * SECOND);
    let failing = Condition::Failing(10 * SECOND);
    let cases = [
        (200, Class::Success, Condition::Open),
        (304, Class::Success, Condition::Open),
        (400, Class::ClientError, Condition::Open),
        (401, Class::ClientError, Condition::Open),
        (404, Class::ClientError, Condition::Open),
        (429, Class::Throttled, throttled),
        (500, Class::Failing, failing),
        (503, Class::Capacity, failing),
    ];
    for (status, expected, after) in cases {
        let pool = pool();
        let service = ThrottleTrackerLayer::new().layer(answering(status, &[]));
        let response = service.oneshot(request(&pool)).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(class(&response), Some(expected), "{status}");
        assert_eq!(condition(&pool), after, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn status_401_closes_a_backend_with_its_own_credential() {
    let pool = pool_with_credential();
    let service = ThrottleTrackerLayer::new().layer(answering(401, &[]));
    let response = service.oneshot(request(&pool)).await.unwrap();
    assert_eq!(class(&response), Some(Class::Credential));
    assert_eq!(condition(&pool), Condition::Failing(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn error_closes_the_backend_and_passes() {
    let pool = pool();
    let service = ThrottleTrackerLayer::new().layer(refusing());
    let error = service.oneshot(request(&pool)).await.unwrap_err();
    assert_eq!(error, "connection refused");
    assert_eq!(condition(&pool), Condition::Failing(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn success_of_a_probe_opens_the_backend() {
    for status in [200, 400] {
        let pool = pool();
        fail_until_probe_is_due(&pool).await;
        let request = request(&pool);
        assert!(request.extensions().get::<Selected>().unwrap().is_probe());
        let service = ThrottleTrackerLayer::new().layer(answering(status, &[]));
        service.oneshot(request).await.unwrap();
        assert_eq!(condition(&pool), Condition::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn success_of_an_earlier_request_does_not_end_a_throttle() {
    let pool = pool();
    let under_way = request(&pool);
    select(&pool).record(&Outcome::throttled(SECOND), Instant::now());
    let service = ThrottleTrackerLayer::new().layer(answering(200, &[]));
    service.oneshot(under_way).await.unwrap();
    assert_eq!(condition(&pool), Condition::Throttled(SECOND));
}

#[tokio::test(start_paused = true)]
async fn failed_request_body_does_not_change_the_backend() {
    for inner in [
        refusing(),
        answering(429, &[]),
        answering(500, &[]),
        answering(400, &[]),
    ] {
        let pool = pool();
        fail_until_probe_is_due(&pool).await;
        let attempts = Attempts::new();
        attempts.set_request_failed();
        let mut request = request(&pool);
        request.extensions_mut().insert(attempts);
        if let Ok(response) = ThrottleTrackerLayer::new()
            .layer(inner)
            .oneshot(request)
            .await
        {
            assert_eq!(class(&response), Some(Class::ClientError));
        }
        // The request was a probe without a result: the next request is a probe again.
        assert_eq!(condition(&pool), Condition::Failing(Duration::ZERO));
        assert!(select(&pool).is_probe());
    }
}

#[tokio::test(start_paused = true)]
async fn served_request_is_a_success_even_if_its_body_failed() {
    let pool = pool();
    fail_until_probe_is_due(&pool).await;
    let attempts = Attempts::new();
    attempts.set_request_failed();
    let mut request = request(&pool);
    request.extensions_mut().insert(attempts);
    let service = ThrottleTrackerLayer::new().layer(answering(200, &[]));
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(class(&response), Some(Class::Success));
    assert_eq!(condition(&pool), Condition::Open);
}

#[tokio::test(start_paused = true)]
async fn classifier_is_called_once_per_answer() {
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let classify = {
        let calls = calls.clone();
        move |answer: &Answer<'_, &str>| {
            calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(answer.backend().expect("the backend is known").label(), "a");
            match (answer.status(), answer.as_error()) {
                (Some(status), None) if status == 403 => Class::Throttled,
                (None, Some(_)) => Class::ClientError,
                _ => Class::Success,
            }
        }
    };
    let layer = ThrottleTrackerLayer::new().with_classify(classify);
    let pool = pool();
    for inner in [answering(429, &[]), answering(500, &[]), refusing()] {
        let _ = layer.layer(inner).oneshot(request(&pool)).await;
        assert_eq!(condition(&pool), Condition::Open);
    }
    let service = layer.layer(answering(403, &[("retry-after", "3")]));
    let response = service.oneshot(request(&pool)).await.unwrap();
    assert_eq!(class(&response), Some(Class::Throttled));
    assert_eq!(condition(&pool), Condition::Throttled(3 * SECOND));
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn replacing_the_classifier_keeps_the_cooldowns() {
    let cooldowns = Cooldowns::default().default_cooldown(3 * SECOND);
    let layer = ThrottleTrackerLayer::new().cooldowns(cooldowns);
    let layer = layer.with_classify(|_: &Answer<'_, &str>| Class::Failing);
    let pool = pool();
    layer
        .layer(answering(200, &[]))
        .oneshot(request(&pool))
        .await
        .unwrap();
    assert_eq!(condition(&pool), Condition::Failing(3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn answer_without_a_selected_backend_passes() {
    for inner in [answering(200, &[]), answering(429, &[("retry-after", "3")])] {
        let service = ThrottleTrackerLayer::new().layer(inner);
        let response = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!(class(&response), None);
    }
    let service = ThrottleTrackerLayer::new().layer(refusing());
    assert_eq!(
        service.oneshot(Request::new(())).await.unwrap_err(),
        "connection refused"
    );
}

//! Answers to requests that the backend did not process.

use std::{convert::Infallible, error::Error, io};

use spillover_core::{Answer, layer::AttemptsProtocol};

use super::*;
use crate::connection::{StaleConnection, Unprocessed};

type BoxError = Box<dyn Error + Send + Sync>;

/// Creates a request with `Attempts`, as the retry layer does, and returns both.
fn tried_request(pool: &Pool) -> (Request<()>, Attempts) {
    let attempts = Attempts::new();
    let selected = pool.select(&Query::new().attempts(&attempts), Instant::now(), 0);
    let selected = selected.expect("it is open");
    attempts.mark(selected.index());
    let mut request = Request::new(());
    request.extensions_mut().insert(selected);
    request.extensions_mut().insert(attempts.clone());
    (request, attempts)
}

fn stale() -> Probe<(), Full<Bytes>, BoxError> {
    Probe::new(|_| std::future::ready(Err(io::Error::from(StaleConnection::new()).into())))
}

fn counts(pool: &Pool) -> (u64, u64) {
    let counts = pool.snapshot(Scope::BACKEND, Instant::now())[0].counts();
    (counts.unprocessed, counts.failed)
}

#[tokio::test(start_paused = true)]
async fn unprocessed_request_is_marked_for_one_resend() {
    let pool = pool();
    let service = ThrottleTrackerLayer::new().layer(stale());
    let (request, attempts) = tried_request(&pool);
    service.clone().oneshot(request).await.unwrap_err();
    assert_eq!(condition(&pool), Condition::Open);
    assert_eq!(attempts.resend_to(), Some(0));
    assert_eq!(counts(&pool), (1, 0));

    // The second unprocessed attempt is a failure.
    let mut request = Request::new(());
    let selected = pool.select(&Query::new().attempts(&attempts), Instant::now(), 0);
    request.extensions_mut().insert(selected.unwrap());
    request.extensions_mut().insert(attempts.clone());
    attempts.mark(0);
    service.oneshot(request).await.unwrap_err();
    assert!(matches!(condition(&pool), Condition::Failing(_)));
    assert_eq!(attempts.resend_to(), None);
    assert_eq!(counts(&pool), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn unprocessed_request_without_a_retry_layer_is_a_failure() {
    let pool = pool();
    let service = ThrottleTrackerLayer::new().layer(stale());
    service.oneshot(request(&pool)).await.unwrap_err();
    assert!(matches!(condition(&pool), Condition::Failing(_)));
}

#[tokio::test(start_paused = true)]
async fn response_with_the_unprocessed_extension_is_unprocessed() {
    for status in [502, 200] {
        let pool = pool();
        let inner: Probe<(), Full<Bytes>, Infallible> = Probe::new(move |_| {
            let response = Response::builder().status(status);
            // A gRPC call has its error in header fields.
            let mut response = response
                .header("grpc-status", "14")
                .body(Full::default())
                .unwrap();
            response.extensions_mut().insert(Unprocessed::new());
            std::future::ready(Ok(response))
        });
        let (request, attempts) = tried_request(&pool);
        let service = ThrottleTrackerLayer::new().layer(inner);
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(class(&response), Some(Class::Unprocessed), "{status}");
        assert_eq!(condition(&pool), Condition::Open);
        assert_eq!(attempts.resend_to(), Some(0));
    }
}

#[tokio::test(start_paused = true)]
async fn classifier_decides_whether_a_request_was_unprocessed() {
    let pool = pool();
    let classify = |answer: &Answer<'_, BoxError>| {
        assert!(answer.is_unprocessed());
        Class::Declined
    };
    let layer = ThrottleTrackerLayer::new().with_classify(classify);
    let (request, attempts) = tried_request(&pool);
    layer.layer(stale()).oneshot(request).await.unwrap_err();
    assert_eq!(attempts.resend_to(), None);
    assert_eq!(condition(&pool), Condition::Open);
}

#[tokio::test(start_paused = true)]
async fn request_whose_body_failed_is_not_sent_again() {
    let pool = pool();
    let (request, attempts) = tried_request(&pool);
    attempts.set_request_failed();
    let service = ThrottleTrackerLayer::new().layer(stale());
    service.oneshot(request).await.unwrap_err();
    assert_eq!(attempts.resend_to(), None);
    assert_eq!(condition(&pool), Condition::Open);
}

#[tokio::test(start_paused = true)]
async fn other_error_is_a_failure_without_resend() {
    let pool = pool();
    let inner: Probe<(), Full<Bytes>, BoxError> =
        Probe::new(|_| std::future::ready(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
    let (request, attempts) = tried_request(&pool);
    let service = ThrottleTrackerLayer::new().layer(inner);
    service.oneshot(request).await.unwrap_err();
    assert_eq!(attempts.resend_to(), None);
    assert!(matches!(condition(&pool), Condition::Failing(_)));
}

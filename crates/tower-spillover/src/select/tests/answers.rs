//! Fields and extensions that the layer adds to the answer of a backend.

use super::*;

type Inner = Probe<(), (), &'static str>;

/// Creates a service that answers with this status and its own hints. A 429 throttles the backend, as by
/// `ThrottleTracker`.
fn answers(status: u16) -> Inner {
    Probe::new(move |request: Request<()>| async move {
        if status == 429 {
            let outcome = Outcome::throttled(7 * SECOND);
            selected(request.extensions()).record(&outcome, Instant::now());
        }
        Ok(hinting(status))
    })
}

fn hinting(status: u16) -> Response<()> {
    let response = Response::builder().status(status).header("x-upstream", "1");
    let response = response
        .header("retry-after", "77")
        .header("retry-after-ms", "77000");
    response.body(()).unwrap()
}

fn hints<B>(response: &Response<B>) -> [&str; 2] {
    ["retry-after", "retry-after-ms"].map(|name| response.headers()[name].to_str().unwrap())
}

const UNTOUCHED: [&str; 2] = ["77", "77000"];

/// Returns the answer of the first backend to a request. With `is_last`, the second backend was tried before.
async fn answer(pool: &Pool, inner: Inner, is_last: bool) -> (Response<()>, Attempts) {
    let attempts = Attempts::new();
    if is_last {
        attempts.mark(1);
    }
    let service = PrioritySelectLayer::new(pool.clone()).layer(inner);
    let response = service.oneshot(request(&attempts)).await.unwrap();
    assert_eq!(selected(response.extensions()).index(), 0);
    (response, attempts)
}

#[tokio::test(start_paused = true)]
async fn refusal_429_states_when_the_pool_opens() {
    let pool = pool([("a", 1), ("b", 2)]);
    throttle(&pool, 1, SECOND * 5 / 2);
    let (response, attempts) = answer(&pool, answers(429), false).await;
    assert_eq!(hints(&response), ["3", "2500"]);
    assert_eq!(response.headers()["x-upstream"], "1");
    let exhausted = response.extensions().get::<Exhausted>().unwrap();
    assert_eq!(exhausted.reopens_in(), SECOND * 5 / 2);
    assert!(attempts.is_exhausted());
}

#[tokio::test(start_paused = true)]
async fn refusal_429_is_not_exhausted_while_another_backend_is_open() {
    let pool = pool([("a", 1), ("b", 2)]);
    let (response, attempts) = answer(&pool, answers(429), false).await;
    assert_eq!(hints(&response), ["1", "1"]);
    assert!(response.extensions().get::<Exhausted>().is_none());
    assert!(!attempts.is_exhausted());
}

#[tokio::test(start_paused = true)]
async fn refusal_429_is_exhausted_when_all_backends_were_tried() {
    let pool = pool([("a", 1), ("b", 2)]);
    let (response, attempts) = answer(&pool, answers(429), true).await;
    // The other backend is open for a new request.
    assert_eq!(hints(&response), ["1", "1"]);
    let exhausted = response.extensions().get::<Exhausted>().unwrap();
    assert_eq!(exhausted.reopens_in(), Duration::ZERO);
    assert!(attempts.is_exhausted());
}

#[tokio::test(start_paused = true)]
async fn wait_of_a_failure_becomes_that_of_the_pool() {
    for status in [500, 503] {
        let pool = pool([("a", 1), ("b", 2)]);
        let (response, attempts) = answer(&pool, answers(status), false).await;
        assert_eq!(hints(&response), ["1", "1"]);
        assert!(!attempts.is_exhausted());

        throttle(&pool, 1, 5 * SECOND);
        let inner = Probe::new(move |request: Request<()>| async move {
            let outcome = Outcome::failing(60 * SECOND);
            selected(request.extensions()).record(&outcome, Instant::now());
            Ok(hinting(status))
        });
        let (response, attempts) = answer(&pool, inner, true).await;
        assert_eq!(hints(&response), ["5", "5000"]);
        assert!(response.extensions().get::<Exhausted>().is_some());
        assert!(attempts.is_exhausted());
    }
}

#[tokio::test(start_paused = true)]
async fn failure_without_a_wait_gets_no_wait() {
    for status in [500, 503] {
        let inner: Inner = Probe::new(move |_| async move {
            let response = Response::builder().status(status);
            Ok(response.body(()).unwrap())
        });
        let (response, _) = answer(&pool([("a", 1), ("b", 2)]), inner, true).await;
        assert!(response.headers().is_empty(), "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_that_does_not_end_with_time_has_no_wait() {
    for class in [Class::TooLarge, Class::Declined] {
        let inner: Inner = Probe::new(move |_| async move {
            let mut response = hinting(429);
            let outcome = Outcome::new(class, Cooldown::default());
            response.extensions_mut().insert(outcome);
            Ok(response)
        });
        let (response, _) = answer(&pool([("a", 1), ("b", 2)]), inner, true).await;
        assert!(!response.headers().contains_key("retry-after"), "{class:?}");
        assert!(
            !response.headers().contains_key("retry-after-ms"),
            "{class:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn answer_that_is_not_a_refusal_is_unchanged() {
    let pool = pool([("a", 1), ("b", 2)]);
    for status in [200, 304, 400, 401, 404] {
        let (response, attempts) = answer(&pool, answers(status), true).await;
        assert_eq!(hints(&response), UNTOUCHED);
        assert!(response.extensions().get::<Exhausted>().is_none());
        assert!(!attempts.is_exhausted());
    }
}

#[tokio::test(start_paused = true)]
async fn outcome_of_an_inner_layer_decides_whether_an_answer_is_a_refusal() {
    let classified = |status, outcome: Outcome| {
        Probe::new(move |_: Request<()>| {
            let mut response = hinting(status);
            response.extensions_mut().insert(outcome.clone());
            async { Ok(response) }
        })
    };
    let pool = pool([("a", 1), ("b", 2)]);

    let client_error = classified(429, Outcome::client_error());
    let (response, attempts) = answer(&pool, client_error, true).await;
    assert_eq!(hints(&response), UNTOUCHED);
    assert!(!attempts.is_exhausted());

    let refused = classified(403, Outcome::throttled(SECOND));
    let (response, attempts) = answer(&pool, refused, true).await;
    assert_eq!(hints(&response), ["1", "1"]);
    assert!(response.extensions().get::<Exhausted>().is_some());
    assert!(attempts.is_exhausted());
}

#[tokio::test(start_paused = true)]
async fn error_passes_and_marks_attempts_as_exhausted_after_the_last_backend() {
    for is_last in [false, true] {
        let inner: Inner = Probe::new(|_| async { Err("connection refused") });
        let service = PrioritySelectLayer::new(pool([("a", 1), ("b", 2)])).layer(inner);
        let attempts = Attempts::new();
        if is_last {
            attempts.mark(1);
        }
        let error = service.oneshot(request(&attempts)).await.unwrap_err();
        assert_eq!(error, "connection refused");
        assert_eq!(attempts.is_exhausted(), is_last);
    }
}

#[tokio::test(start_paused = true)]
async fn forwarded_request_is_exhausted_after_a_429() {
    let pool = pool([("a", 1), ("b", 2)]);
    throttle(&pool, 0, 9 * SECOND);
    throttle(&pool, 1, SECOND);
    let (response, attempts) = answer(&pool, answers(429), false).await;
    assert_eq!(hints(&response), ["1", "1000"]);
    assert!(attempts.is_exhausted());
}

#[tokio::test(start_paused = true)]
async fn negative_grpc_pushback_is_unchanged() {
    let inner: Inner = Probe::new(|_| async {
        let response = Response::builder().header("grpc-status", "8");
        let response = response.header("grpc-retry-pushback-ms", "-1");
        let mut response = response.body(()).unwrap();
        let outcome = Outcome::throttled(SECOND).without_retry();
        response.extensions_mut().insert(outcome);
        Ok(response)
    });
    let pool = pool([("a", 1), ("b", 2)]);
    let (response, _) = answer(&pool, inner, false).await;
    assert_eq!(response.headers()["grpc-retry-pushback-ms"], "-1");
}

#[tokio::test(start_paused = true)]
async fn answer_after_a_wait_does_not_mark_attempts_as_exhausted() {
    for status in [200, 404] {
        let pool = pool([("a", 1), ("b", 2)]);
        throttle(&pool, 0, SECOND);
        throttle(&pool, 1, SECOND);
        let service = PrioritySelectLayer::new(pool.clone())
            .when_exhausted(WhenExhausted::Wait(2 * SECOND))
            .layer(answers(status));
        let attempts = Attempts::new();
        service.oneshot(request(&attempts)).await.unwrap();
        // An outer layer may classify the answer as a refusal, and try the other backend.
        assert!(!attempts.is_exhausted());
    }
}

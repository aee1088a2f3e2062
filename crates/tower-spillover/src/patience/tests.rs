//! Tests of reading the patience of clients and of limiting attempts by it, on paused time.

use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, Request, Response};
use spillover_core::{
    Attempts, Backend, Class, Outcome, Pool, Query, Selected, layer::AttemptsProtocol,
};
use spillover_testing::Probe;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_layer::Layer;

use super::{limit::share, *};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn patience(name: &'static str, value: &'static str) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_static(value));
    // The time of day is 2020-12-31T23:59:00Z.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_609_459_140);
    patience_of(&headers, now)
}

#[test]
fn patience_is_read_from_each_field() {
    let cases = [
        ("x-stainless-read-timeout", "600", 600 * SECOND),
        ("x-stainless-read-timeout", "1.5", 1500 * MS),
        ("x-stainless-timeout", "1", SECOND),
        ("x-server-timeout", "30.0", 30 * SECOND),
        ("grpc-timeout", "1H", 3600 * SECOND),
        ("grpc-timeout", "2M", 120 * SECOND),
        ("grpc-timeout", "3S", 3 * SECOND),
        ("grpc-timeout", "00000100m", 100 * MS),
        ("grpc-timeout", "99999999u", 99_999_999 * MS / 1000),
        (
            "amz-sdk-request",
            "ttl=20201231T235959Z; attempt=2; max=3",
            59 * SECOND,
        ),
        (
            "amz-sdk-request",
            "attempt=2; ttl=20210101T000100Z",
            120 * SECOND,
        ),
    ];
    for (name, value, expected) in cases {
        assert_eq!(patience(name, value), Some(expected), "{name}: {value}");
    }
}

#[test]
fn invalid_or_too_small_patience_is_ignored() {
    let cases = [
        ("x-stainless-read-timeout", ""),
        ("x-stainless-read-timeout", "."),
        ("x-stainless-read-timeout", "NaN"),
        ("x-stainless-read-timeout", "inf"),
        ("x-stainless-read-timeout", "-1"),
        ("x-stainless-read-timeout", "1e9"),
        ("x-stainless-read-timeout", "1.2.3"),
        ("x-stainless-read-timeout", "0"),
        ("x-stainless-timeout", "0.099"),
        ("x-stainless-timeout", "99999999999999999"),
        ("x-server-timeout", "not given"),
        ("grpc-timeout", "S"),
        ("grpc-timeout", "1"),
        ("grpc-timeout", "1s"),
        ("grpc-timeout", "123456789S"),
        ("grpc-timeout", "-1S"),
        ("grpc-timeout", "1000n"),
        ("amz-sdk-request", "attempt=1; max=3"),
        ("amz-sdk-request", "ttl=; attempt=1"),
        ("amz-sdk-request", "ttl=20201231T235859Z"),
        ("amz-sdk-request", "ttl=20201331T235959Z"),
        ("amz-sdk-request", "ttl=20201231T245959Z"),
        ("amz-sdk-request", "ttl=20201231T236059Z"),
        ("amz-sdk-request", "ttl=00000101T000000Z"),
        ("amz-sdk-request", "ttl=2020-12-31T23:59:59Z"),
        ("x-timeout", "5"),
    ];
    for (name, value) in cases {
        assert_eq!(patience(name, value), None, "{name}: {value}");
    }
}

#[test]
fn smallest_patience_of_several_fields_is_used() {
    let mut headers = HeaderMap::new();
    headers.insert("x-stainless-timeout", HeaderValue::from_static("600"));
    headers.insert("x-stainless-read-timeout", HeaderValue::from_static("x"));
    headers.append("x-server-timeout", HeaderValue::from_static("20"));
    headers.append("x-server-timeout", HeaderValue::from_static("30"));
    assert_eq!(
        patience_of(&headers, SystemTime::UNIX_EPOCH),
        Some(20 * SECOND)
    );
}

#[test]
fn ttl_is_read_across_leap_days() {
    let at = |value: &'static str, seconds: u64| {
        let mut headers = HeaderMap::new();
        headers.insert("amz-sdk-request", HeaderValue::from_static(value));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        patience_of(&headers, now)
    };
    assert_eq!(at("ttl=20240229T000001Z", 1_709_164_800), Some(SECOND));
    assert_eq!(at("ttl=20240301T000001Z", 1_709_251_200), Some(SECOND));
    assert_eq!(at("ttl=20000101T000001Z", 946_684_800), Some(SECOND));
    assert_eq!(at("ttl=21000301T000001Z", 4_107_542_400), Some(SECOND));
}

#[test]
fn share_of_an_attempt_is_half_of_the_patience_or_twice_the_usual_latency() {
    let cases = [
        (None, 5000),
        (Some(100), 5000),
        (Some(3000), 6000),
        (Some(7000), 7500),
        (Some(9000), 5000),
    ];
    for (usual, expected) in cases {
        let usual = usual.map(Duration::from_millis);
        assert_eq!(share(10 * SECOND, usual), expected * MS, "{usual:?}");
    }
}

fn pool() -> Pool {
    let build = |(label, priority)| {
        let builder = Backend::builder(label).url("http://upstream.example");
        builder.priority(priority).build().unwrap()
    };
    Pool::new([("a", 1), ("b", 2)].map(build)).unwrap()
}

/// Makes an attempt at the first backend, which responds after `takes`. Returns the status and the time until the response.
async fn attempt(
    pool: &Pool,
    patience: &'static str,
    attempts: &Attempts,
    takes: Duration,
) -> (u16, Duration) {
    let start = Instant::now();
    let selected = pool
        .select(&Query::new().attempts(attempts), start, 0)
        .unwrap();
    attempts.mark(selected.index());
    let mut request = Request::get("/")
        .header("x-stainless-timeout", patience)
        .body(())
        .unwrap();
    request.extensions_mut().insert(selected);
    request.extensions_mut().insert(attempts.clone());
    let inner = Probe::new(move |_: Request<()>| async move {
        sleep(takes).await;
        Ok::<_, Infallible>(Response::new(()))
    });
    let response = PatienceLayer::new()
        .layer(inner)
        .oneshot(request)
        .await
        .unwrap();
    let class = response.extensions().get::<Outcome>().map(Outcome::class);
    assert_eq!(class.is_some(), response.status() == 504);
    assert!(class.is_none_or(|class| class == Class::Late));
    (response.status().as_u16(), Instant::now() - start)
}

#[tokio::test(start_paused = true)]
async fn attempt_ends_after_half_of_the_patience() {
    let (pool, attempts) = (pool(), Attempts::new());
    assert_eq!(
        attempt(&pool, "2", &attempts, 999 * MS).await,
        (200, 999 * MS)
    );
    assert_eq!(
        attempt(&pool, "2", &Attempts::new(), 9 * SECOND).await,
        (504, SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn attempt_at_the_last_backend_is_not_limited() {
    let (pool, attempts) = (pool(), Attempts::new());
    attempts.mark(1);
    assert_eq!(
        attempt(&pool, "2", &attempts, 9 * SECOND).await,
        (200, 9 * SECOND)
    );
    // A failing backend does not count as another candidate.
    let attempts = Attempts::new();
    let now = Instant::now();
    let other = Query::new().attempts(&attempts);
    attempts.mark(0);
    let b = pool.select(&other, now, 0).unwrap();
    b.record(&Outcome::failing(60 * SECOND), now);
    assert_eq!(
        attempt(&pool, "2", &Attempts::new(), 9 * SECOND).await,
        (200, 9 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn attempt_of_a_request_that_cannot_be_retried_is_not_limited() {
    let pool = pool();
    let attempts = Attempts::new();
    attempts.set_last();
    assert_eq!(
        attempt(&pool, "2", &attempts, 9 * SECOND).await,
        (200, 9 * SECOND)
    );
    let attempts = Attempts::new();
    attempts.set_body_held(true);
    assert_eq!(
        attempt(&pool, "2", &attempts, 9 * SECOND).await,
        (200, 9 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn patience_counts_from_the_beginning_of_the_request() {
    let (pool, attempts) = (pool(), Attempts::new());
    attempts.begun(Instant::now());
    sleep(SECOND).await;
    assert_eq!(
        attempt(&pool, "3", &attempts, 9 * SECOND).await,
        (504, SECOND)
    );
    sleep(SECOND).await;
    // The patience of 3 s is over: no limit applies to another attempt.
    let tried_again = attempts.clone();
    let pool = self::pool();
    let start = Instant::now();
    let mut request = Request::get("/")
        .header("x-stainless-timeout", "3")
        .body(())
        .unwrap();
    request
        .extensions_mut()
        .insert(pool.select(&Query::new(), start, 0).unwrap());
    request.extensions_mut().insert(tried_again);
    assert!(AttemptLimit::of(&request).is_none());
}

#[tokio::test(start_paused = true)]
async fn attempt_without_selected_backend_or_attempts_is_not_limited() {
    let mut request = Request::get("/")
        .header("x-stainless-timeout", "3")
        .body(())
        .unwrap();
    assert!(AttemptLimit::of(&request).is_none());
    request.extensions_mut().insert(Attempts::new());
    assert!(AttemptLimit::of(&request).is_none());
    let selected: Selected = pool().select(&Query::new(), Instant::now(), 0).unwrap();
    request.extensions_mut().insert(selected);
    assert_eq!(
        AttemptLimit::of(&request).unwrap().duration(),
        3 * SECOND / 2
    );
}

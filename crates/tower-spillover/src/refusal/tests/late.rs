//! Refusals whose body comes after the head while another backend is left.

use std::sync::Mutex;

use http_body_util::Full;
use spillover_core::{
    Attempts, Backend, Class, Condition, Pool, Query, Scope, StatusClassifier, layer::LateReport,
};
use spillover_testing::body::BodyHandle;

use super::*;
use crate::{
    body::GuardedBody,
    retry::{ReplayBody, RetryThrottledLayer},
    select::PrioritySelectLayer,
    throttle::{Attempt, ThrottleTrackerLayer},
};

type Answered = GuardedBody<PeekedBody<ScriptedBody>, Attempt>;

const PATIENCE: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

/// Creates a pool of backends that are selected in this order.
fn pool(labels: &[&str]) -> Pool {
    let backends = labels.iter().zip(1..).map(|(label, priority)| {
        let builder = Backend::builder(*label).url(format!("http://{label}.example"));
        builder.priority(priority).build().expect("a backend")
    });
    Pool::new(backends).expect("a pool")
}

fn condition(pool: &Pool) -> Condition {
    pool.snapshot(Scope::BACKEND, Instant::now())[0].condition()
}

/// Creates a refusal with this status and `retry-after`.
fn refused(status: u16, retry_after: &str, body: ScriptedBody) -> Response<ScriptedBody> {
    let mut response = Response::builder().status(status);
    if !retry_after.is_empty() {
        response = response.header("retry-after", retry_after);
    }
    response.body(body).expect("a head")
}

/// Sends a request through the layers. The first backend refuses. The next ones serve after `serves_after`.
async fn send(
    pool: &Pool,
    refusal: Response<ScriptedBody>,
    serves_after: Duration,
) -> Response<Answered> {
    let layer = ThrottleTrackerLayer::new();
    send_through(layer, pool, [refusal], serves_after).await
}

async fn send_through<C>(
    tracker: ThrottleTrackerLayer<C>,
    pool: &Pool,
    refusals: impl IntoIterator<Item = Response<ScriptedBody>>,
    serves_after: Duration,
) -> Response<Answered>
where
    C: spillover_core::Classify<Infallible> + Clone + Send + Sync + 'static,
{
    let refusals: Vec<_> = refusals.into_iter().collect();
    let refusals = Mutex::new(refusals.into_iter());
    let probe = Probe::new(move |request: Request<ReplayBody<Full<Bytes>>>| {
        let refusal = refusals.lock().expect("no panic").next();
        async move {
            request.into_body().collect().await.expect("the question");
            if let Some(refusal) = refusal {
                return Ok::<_, Infallible>(refusal);
            }
            tokio::time::sleep(serves_after).await;
            Ok(Response::new(ScriptedBody::new().data("served")))
        }
    });
    let service = ServiceBuilder::new()
        .layer(RetryThrottledLayer::new())
        .layer(PrioritySelectLayer::new(pool.clone()))
        .layer(tracker)
        .layer(ReadRefusalLayer::new())
        .service(probe);
    let response = service.oneshot(Request::new(Full::from("{}"))).await;
    response.unwrap_or_else(|error| match error {})
}

fn stalled() -> (ScriptedBody, BodyHandle) {
    let body = ScriptedBody::new().data(&b"{\"error\":"[..]).pause();
    let handle = body.handle();
    (body, handle)
}

/// Sends the rest of the body after a delay.
fn resume_after(handle: BodyHandle, delay: Duration, rest: &'static str) {
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        handle.push_data(rest);
        handle.resume();
    });
}

const QUOTA_REST: &str = r#" {"message": "No credit.", "code": "insufficient_quota"}}"#;

/// Sends a request whose second attempt takes 10 s. Returns the condition of the first backend after `time`.
async fn closed_after(
    time: Duration,
    pool: Pool,
    refusal: Response<ScriptedBody>,
) -> (Condition, Pool) {
    let sending = tokio::spawn({
        let pool = pool.clone();
        async move { text(send(&pool, refusal, 10 * SECOND).await).await }
    });
    tokio::time::sleep(time).await;
    let condition = condition(&pool);
    assert_eq!(sending.await.expect("no panic"), "served");
    (condition, pool)
}

#[tokio::test(start_paused = true)]
async fn stalled_body_does_not_delay_the_next_attempt() {
    for (status, retry_after, closed) in [
        (429, "", Condition::Throttled(10 * SECOND)),
        (429, "7", Condition::Throttled(7 * SECOND)),
        (503, "", Condition::Failing(10 * SECOND)),
        (529, "", Condition::Failing(10 * SECOND)),
    ] {
        let pool = pool(&["a", "b"]);
        let (body, handle) = stalled();
        let begun = Instant::now();
        let response = send(&pool, refused(status, retry_after, body), Duration::ZERO).await;
        assert_eq!(Instant::now() - begun, PATIENCE, "{status}");
        assert_eq!(condition(&pool), closed);
        assert_eq!(text(response).await, "served");
        assert!(handle.is_dropped(), "reading ends with the request");
    }
}

#[tokio::test(start_paused = true)]
async fn body_read_during_the_next_attempt_extends_the_cooldown() {
    let long_wait = r#" {"message": "Please try again in 45s.", "code": "rate_limit_exceeded"}}"#;
    for (status, retry_after, rest, expected) in [
        (429, "", QUOTA_REST, 300),
        (429, "2", QUOTA_REST, 2),
        (429, "", long_wait, 45),
        (503, "", QUOTA_REST, 300),
        // The body does not state a wait, or a shorter one.
        (429, "", " {}}", 10),
        (429, "", "no JSON", 10),
        (429, "50", long_wait, 50),
    ] {
        let (body, handle) = stalled();
        resume_after(handle, SECOND / 2, rest);
        let refusal = refused(status, retry_after, body);
        let (condition, pool) = closed_after(SECOND * 51 / 100, pool(&["a", "b"]), refusal).await;
        let (Condition::Throttled(wait) | Condition::Failing(wait)) = condition else {
            panic!("the backend is open");
        };
        // Part of the wait has passed by now.
        assert_eq!(
            wait.as_secs_f64().ceil() as u64,
            expected,
            "{status} {rest}"
        );
        let counts = pool.snapshot(Scope::BACKEND, Instant::now())[0].counts();
        assert_eq!(
            counts.refused + counts.failed,
            1,
            "the refusal is counted once"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn cause_is_read_from_a_late_coded_body() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let encoded = encode(coding, &[QUOTA.as_bytes()]).concat();
        let (start, end) = encoded.split_at(encoded.len() / 2);
        let body = ScriptedBody::new().data(start.to_vec()).pause();
        let handle = body.handle();
        handle.push_data(end.to_vec());
        resume_after(handle, SECOND / 2, "");
        let name = if coding == Coding::Gzip {
            "gzip"
        } else {
            "zstd"
        };
        let mut refusal = refused(429, "", body);
        let headers = refusal.headers_mut();
        headers.insert("content-encoding", name.parse().expect("a value"));
        let (condition, pool) = closed_after(SECOND, pool(&["a", "b"]), refusal).await;
        assert!(matches!(condition, Condition::Throttled(wait) if wait > 299 * SECOND));
        let snapshots = pool.snapshot(Scope::BACKEND, Instant::now());
        let cause = snapshots[0].cause().expect("it is closed");
        assert_eq!(
            (cause.class(), cause.message()),
            (Class::Quota, Some("No credit."))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn late_bodies_of_several_refusals_are_read() {
    let pool = pool(&["a", "b", "c"]);
    let refusals = [1, 2].map(|halves| {
        let (body, handle) = stalled();
        resume_after(handle, halves * SECOND / 2, QUOTA_REST);
        refused(429, "", body)
    });
    let tracker = ThrottleTrackerLayer::new();
    let response = send_through(tracker, &pool, refusals, 2 * SECOND).await;
    assert_eq!(text(response).await, "served");
    for snapshot in &pool.snapshot(Scope::BACKEND, Instant::now())[..2] {
        let condition = snapshot.condition();
        assert!(matches!(condition, Condition::Throttled(wait) if wait > 290 * SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn late_body_is_read_for_a_second_and_up_to_64_kib() {
    // The body is read for a second.
    let (body, handle) = stalled();
    resume_after(
        handle.clone(),
        SECOND + Duration::from_millis(1),
        QUOTA_REST,
    );
    let pool_one = pool(&["a", "b"]);
    let sending = tokio::spawn(closed_after(2 * SECOND, pool_one, refused(429, "", body)));
    tokio::time::sleep(SECOND + Duration::from_millis(5)).await;
    assert!(handle.is_dropped());
    let (condition, _) = sending.await.expect("no panic");
    assert!(matches!(condition, Condition::Throttled(wait) if wait < 10 * SECOND));

    // The body is read up to 64 KiB.
    let body = ScriptedBody::new().pause();
    let handle = body.handle();
    for _ in 0..640 {
        handle.push_data(vec![b' '; 16 << 10]);
    }
    resume_after(handle.clone(), SECOND / 2, "");
    closed_after(SECOND, pool(&["a", "b"]), refused(429, "", body)).await;
    assert_eq!(handle.data_bytes(), 64 << 10);
}

#[tokio::test(start_paused = true)]
async fn last_refusal_is_read_before_it_is_returned() {
    let (body, handle) = stalled();
    resume_after(handle, SECOND / 2, QUOTA_REST);
    let pool_one = pool(&["a"]);
    let begun = Instant::now();
    let response = send(&pool_one, refused(429, "", body), Duration::ZERO).await;
    assert_eq!(Instant::now() - begun, SECOND / 2);
    assert_eq!(refusal(&response), Some(Refusal::Quota));
    assert_eq!(condition(&pool_one), Condition::Throttled(300 * SECOND));
    assert_eq!(text(response).await, ["{\"error\":", QUOTA_REST].concat());
}

#[tokio::test(start_paused = true)]
async fn body_that_decides_whether_to_retry_is_read_before_the_next_attempt() {
    let limit = r#" {"message": "Too long.", "code": "context_length_exceeded"}}"#;
    for (rest, expected) in [(limit, 200), (" {}}", 400)] {
        let (body, handle) = stalled();
        resume_after(handle, SECOND / 2, rest);
        let begun = Instant::now();
        let pool = pool(&["a", "b"]);
        let response = send(&pool, refused(400, "", body), Duration::ZERO).await;
        assert_eq!(Instant::now() - begun, SECOND / 2);
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn late_body_is_passed_on_without_a_retry_layer() {
    // Another backend is left, but no layer tries it.
    let pool = pool(&["a", "b"]);
    let attempts = Attempts::new();
    let selected = pool.select(&Query::new().attempts(&attempts), Instant::now(), 0);
    attempts.mark(0);
    let (body, handle) = stalled();
    let mut refusal = Some(refused(429, "", body));
    let service = ReadRefusalLayer::new().layer(Probe::new(move |_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(refusal.take().expect("one request")))
    }));
    let mut request = Request::new(());
    request
        .extensions_mut()
        .insert(selected.expect("the backend is open"));
    request.extensions_mut().insert(attempts);
    let Ok(response) = service.oneshot(request).await;
    assert_eq!(super::refusal(&response), Some(Refusal::Throttled));
    let late = response.extensions().get::<LateReport>().cloned();
    assert!(!response.body().is_end_stream());
    assert_eq!(response.body().size_hint().lower(), 9);

    resume_after(handle, SECOND / 2, QUOTA_REST);
    let whole = text(response).await;
    assert_eq!(whole, ["{\"error\":", QUOTA_REST].concat());
    // The frames were passed on. Reading the late report does not panic.
    let late = late.expect("the body was late");
    std::future::poll_fn(|cx| late.poll_read(cx)).await;
}

#[tokio::test(start_paused = true)]
async fn custom_classifier_decides_before_a_late_body() {
    let classifier =
        StatusClassifier::new().with_status(http::StatusCode::TOO_MANY_REQUESTS, Class::Failing);
    let tracker = ThrottleTrackerLayer::new().with_classify(classifier);
    let pool = pool(&["a", "b"]);
    let (body, handle) = stalled();
    resume_after(handle, SECOND / 2, QUOTA_REST);
    let refusals = [refused(429, "", body)];
    send_through(tracker, &pool, refusals, SECOND).await;
    assert!(matches!(condition(&pool), Condition::Failing(wait) if wait < 10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn late_body_is_dropped_when_the_client_leaves() {
    let (body, handle) = stalled();
    let pool = pool(&["a", "b"]);
    let sending = tokio::spawn(async move { send(&pool, refused(429, "", body), SECOND).await });
    tokio::time::sleep(SECOND / 2).await;
    assert!(!handle.is_dropped());
    sending.abort();
    assert!(sending.await.expect_err("it was aborted").is_cancelled());
    assert!(handle.is_dropped());
}

//! Outcomes that depend on the report of an answer.

use http::HeaderMap;
use spillover_core::Cooldown;
use spillover_hint::{Report, Source};

use super::*;

/// Creates a service that answers with the report that an inner layer has read from this body.
fn reporting(status: u16, body: &'static str) -> Inner {
    Probe::new(move |_: Request<()>| async move {
        let mut response = Response::builder()
            .status(status)
            .body(Full::default())
            .unwrap();
        let report = Report::from_head(response.status(), &HeaderMap::new()).expect("a refusal");
        response
            .extensions_mut()
            .insert(report.with_body(body.as_bytes()));
        Ok(response)
    })
}

async fn outcome(pool: &Pool, inner: Inner) -> Outcome {
    let service = ThrottleTrackerLayer::new().layer(inner);
    let response = service.oneshot(request(pool)).await.unwrap();
    let outcome = response.extensions().get::<Outcome>();
    outcome.expect("an Outcome").clone()
}

#[tokio::test(start_paused = true)]
async fn report_decides_the_class_the_wait_and_the_message() {
    let pool = pool();
    let body = r#"{"error":{"code":"429","message":"Please retry after 26 seconds."}}"#;
    let outcome = outcome(&pool, reporting(429, body)).await;
    assert_eq!(outcome.class(), Class::Throttled);
    assert_eq!(outcome.cooldown().map(|c| c.duration()), Some(26 * SECOND));
    assert_eq!(
        outcome.message().map(|m| &**m),
        Some("Please retry after 26 seconds.")
    );
    assert_eq!(condition(&pool), Condition::Throttled(26 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn quota_closes_for_five_minutes_and_too_large_request_closes_nothing() {
    let pool = pool();
    let body = r#"{"error":{"code":"insufficient_quota","message":"No credit."}}"#;
    let quota = outcome(&pool, reporting(429, body)).await;
    assert_eq!(quota.class(), Class::Quota);
    assert_eq!(condition(&pool), Condition::Throttled(300 * SECOND));

    let pool = self::pool();
    let body = r#"{"error":{"code":"context_length_exceeded","message":"Too long."}}"#;
    let size = outcome(&pool, reporting(400, body)).await;
    assert_eq!((size.class(), size.cooldown()), (Class::TooLarge, None));
    assert_eq!(condition(&pool), Condition::Open);
}

#[tokio::test(start_paused = true)]
async fn reset_is_used_after_a_stated_wait_that_was_too_short() {
    let pool = pool();
    let azure = || {
        answering(
            429,
            &[
                ("retry-after", "5"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "40"),
            ],
        )
    };
    outcome(&pool, azure()).await;
    assert_eq!(condition(&pool), Condition::Throttled(5 * SECOND));

    // A request after the stated wait is refused again: the reset of the counter is used.
    advance(5 * SECOND).await;
    let again = outcome(&pool, azure()).await;
    assert_eq!(condition(&pool), Condition::Throttled(40 * SECOND));
    assert_eq!(
        again.cooldown().and_then(|c| c.source()),
        Some(Source::Reset)
    );

    // A request was served in between: the stated wait is used again.
    advance(40 * SECOND).await;
    outcome(&pool, answering(200, &[])).await;
    outcome(&pool, azure()).await;
    assert_eq!(condition(&pool), Condition::Throttled(5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn success_without_remaining_requests_closes_until_the_next_is_admitted() {
    let counters = |remaining, limit, reset| {
        answering(
            200,
            &[
                ("x-ratelimit-remaining-requests", remaining),
                ("x-ratelimit-limit-requests", limit),
                ("x-ratelimit-reset-requests", reset),
            ],
        )
    };
    let cases = [
        (counters("0", "3", "60s"), Condition::Throttled(20 * SECOND)),
        (
            counters("0", "1", "600s"),
            Condition::Throttled(60 * SECOND),
        ),
        (
            counters("0", "1000", "1s"),
            Condition::Throttled(Cooldown::FLOOR),
        ),
        (counters("1", "3", "60s"), Condition::Open),
        (counters("-1", "-1", "0"), Condition::Open),
        (counters("0", "3", ""), Condition::Open),
        (counters("0", "0", "60s"), Condition::Open),
    ];
    for (inner, expected) in cases {
        let pool = pool();
        let outcome = outcome(&pool, inner).await;
        assert_eq!(outcome.class(), Class::Success);
        assert_eq!(condition(&pool), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_request_is_counted_as_cancelled_and_closes_nothing() {
    let pool = pool();
    let inner: Inner = Probe::new(|_: Request<()>| std::future::pending());
    let mut service = ThrottleTrackerLayer::new().layer(inner);
    let call = service.ready().await.unwrap().call(request(&pool));
    drop(call);
    assert_eq!(condition(&pool), Condition::Open);
    let counts = pool.snapshot(Scope::BACKEND, Instant::now())[0].counts();
    assert_eq!((counts.cancelled, counts.failed), (1, 0));
}

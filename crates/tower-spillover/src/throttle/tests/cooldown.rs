//! The time for which a refusal closes the backend.

use spillover_hint::Source;

use super::*;

/// Returns the cooldown after a 429 with these fields. Asserts that the outcome and the pool agree.
async fn throttled_by(
    layer: ThrottleTrackerLayer,
    headers: &[(&'static str, &'static str)],
) -> (Duration, Option<Source>) {
    let pool = pool();
    let service = layer.layer(answering(429, headers));
    let response = service.oneshot(request(&pool)).await.unwrap();
    let outcome = response.extensions().get::<Outcome>().expect("an Outcome");
    let cooldown = outcome.cooldown().expect("a cooldown");
    assert_eq!(condition(&pool), Condition::Throttled(cooldown.duration()));
    (cooldown.duration(), cooldown.source())
}

#[tokio::test(start_paused = true)]
async fn refusal_429_closes_for_the_stated_wait() {
    let ms = Duration::from_millis;
    let cases = [
        (("retry-after", "2"), 2 * SECOND, Source::RetryAfter),
        (("retry-after", "1.5"), ms(1500), Source::RetryAfter),
        (("retry-after-ms", "250"), ms(250), Source::RetryAfterMs),
        (
            ("x-ms-retry-after-ms", "700"),
            ms(700),
            Source::MsRetryAfterMs,
        ),
        (
            ("x-ratelimit-reset-tokens", "6.5s"),
            ms(6500),
            Source::Reset,
        ),
    ];
    for (header, expected, source) in cases {
        let throttled = throttled_by(ThrottleTrackerLayer::new(), &[header]).await;
        assert_eq!(throttled, (expected, Some(source)), "{header:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_429_without_a_wait_closes_for_ten_seconds() {
    for headers in [
        &[][..],
        &[("retry-after", "soon")],
        &[("retry-after", "-1")],
    ] {
        let throttled = throttled_by(ThrottleTrackerLayer::new(), headers).await;
        assert_eq!(throttled, (10 * SECOND, None), "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stated_wait_is_capped_at_a_minute() {
    let endless = [
        "61",
        "86400",
        "99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ];
    for value in endless {
        let throttled = throttled_by(ThrottleTrackerLayer::new(), &[("retry-after", value)]).await;
        assert_eq!(throttled.0, 60 * SECOND, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn stated_wait_is_at_least_the_floor() {
    let none = [
        ("retry-after", "0"),
        ("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("retry-after-ms", "1"),
        ("retry-after-ms", "99"),
    ];
    for header in none {
        let throttled = throttled_by(ThrottleTrackerLayer::new(), &[header]).await;
        assert_eq!(throttled.0, Duration::from_millis(100), "{header:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn default_cooldown_and_cap_can_be_set() {
    let cooldowns = Cooldowns::default()
        .default_cooldown(3 * SECOND)
        .cap(5 * SECOND);
    let layer = ThrottleTrackerLayer::new().cooldowns(cooldowns);
    for (headers, expected) in [
        (&[][..], 3),
        (&[("retry-after", "4")], 4),
        (&[("retry-after", "9")], 5),
    ] {
        assert_eq!(
            throttled_by(layer.clone(), headers).await.0,
            expected * SECOND
        );
    }
}

#[tokio::test(start_paused = true)]
async fn failure_closes_for_the_stated_wait() {
    let pool = pool();
    let service = ThrottleTrackerLayer::new().layer(answering(503, &[("retry-after", "4")]));
    service.oneshot(request(&pool)).await.unwrap();
    assert_eq!(condition(&pool), Condition::Failing(4 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn cooldown_counts_from_the_response() {
    let pool = pool();
    let slow: Inner = Probe::new(|_| async {
        tokio::time::sleep(7 * SECOND).await;
        let response = Response::builder().status(429).header("retry-after", "2");
        Ok(response.body(Full::default()).unwrap())
    });
    ThrottleTrackerLayer::new()
        .layer(slow)
        .oneshot(request(&pool))
        .await
        .unwrap();
    assert_eq!(condition(&pool), Condition::Throttled(2 * SECOND));
    advance(2 * SECOND).await;
    assert_eq!(condition(&pool), Condition::Open);
}

#[tokio::test(start_paused = true)]
async fn longest_of_several_cooldowns_applies() {
    for order in [["2", "5"], ["5", "2"]] {
        let pool = pool();
        let requests = order.map(|_| request(&pool));
        for (request, wait) in requests.into_iter().zip(order) {
            let service =
                ThrottleTrackerLayer::new().layer(answering(429, &[("retry-after", wait)]));
            service.oneshot(request).await.unwrap();
        }
        assert_eq!(condition(&pool), Condition::Throttled(5 * SECOND));
    }
}

//! Counters of successful responses.

use std::time::Duration;

use spillover_hint::{Dimension, Period, Quotas, When};

use crate::{headers, now};

/// The expected dimension, period, limit, remaining number and reset.
type Read = (
    &'static str,
    &'static str,
    Option<u64>,
    Option<u64>,
    Option<Duration>,
);

fn check(lines: &str, expected: &[Read]) {
    let quotas = Quotas::from_headers(&headers(lines));
    let read: Vec<_> = quotas
        .iter()
        .map(|quota| {
            let reset = quota.reset().map(|reset| reset.wait(now()));
            let (dimension, period) = (quota.dimension().as_str(), quota.period().as_str());
            (dimension, period, quota.limit(), quota.remaining(), reset)
        })
        .collect();
    assert_eq!(read, expected, "{lines}");
}

const fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

const fn millis(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

#[test]
fn counters_of_vendors_are_read() {
    check(
        "x-ratelimit-limit-requests: 500
         x-ratelimit-remaining-requests: 499
         x-ratelimit-reset-requests: 120ms
         x-ratelimit-limit-tokens: 200000
         x-ratelimit-remaining-tokens: 199000
         x-ratelimit-reset-tokens: 6m0s
         x-ratelimit-limit-input-images: 50
         x-request-id: req_1
         openai-processing-ms: 812",
        &[
            ("requests", "unknown", Some(500), Some(499), millis(120)),
            ("tokens", "unknown", Some(200_000), Some(199_000), secs(360)),
            ("input-images", "unknown", Some(50), None, None),
        ],
    );
    check(
        "anthropic-ratelimit-requests-limit: 50
         anthropic-ratelimit-requests-remaining: 49
         anthropic-ratelimit-requests-reset: 2015-10-21T07:27:32Z
         anthropic-ratelimit-tokens-limit: 38000
         anthropic-ratelimit-tokens-remaining: 36000
         anthropic-ratelimit-input-tokens-remaining: 28000
         anthropic-ratelimit-output-tokens-remaining: 8000
         anthropic-priority-input-tokens-remaining: 7
         anthropic-priority-output-tokens-limit: 9",
        &[
            ("requests", "unknown", Some(50), Some(49), secs(32)),
            ("tokens", "unknown", Some(38_000), Some(36_000), None),
            ("input-tokens", "unknown", None, Some(28_000), None),
            ("output-tokens", "unknown", None, Some(8_000), None),
            ("priority-input-tokens", "unknown", None, Some(7), None),
            ("priority-output-tokens", "unknown", Some(9), None, None),
        ],
    );
    // Cerebras: one dimension with two periods.
    let lines = "x-ratelimit-limit-requests-day: 14400
         x-ratelimit-remaining-requests-day: 14000
         x-ratelimit-reset-requests-day: 33011.382867097855
         x-ratelimit-remaining-requests-minute: 29
         x-ratelimit-remaining-tokens-minute: 60000";
    check(
        lines,
        &[
            (
                "requests",
                "day",
                Some(14_400),
                Some(14_000),
                Some(Duration::from_nanos(33_011_382_867_097)),
            ),
            ("requests", "minute", None, Some(29), None),
            ("tokens", "minute", None, Some(60_000), None),
        ],
    );
    let quotas = Quotas::from_headers(&headers(lines));
    let requests = quotas.get(Dimension::Requests).expect("requests");
    assert_eq!(
        (requests.period(), requests.remaining()),
        (Period::Minute, Some(29))
    );
    assert!(quotas.get(Dimension::OutputTokens).is_none());

    // Mistral, Cohere, GitHub, Azure OpenAI and the IETF.
    check(
        "ratelimitbysize-limit: 500000
         ratelimitbysize-remaining: 488000
         ratelimitbysize-reset: 37
         ratelimitbysize-query-cost: 12000
         x-ratelimitbysize-limit-month: 1000000000",
        &[
            ("tokens", "unknown", Some(500_000), Some(488_000), secs(37)),
            ("tokens", "month", Some(1_000_000_000), None, None),
        ],
    );
    check(
        "x-endpoint-monthly-call-limit: 1000
         x-trial-endpoint-call-limit: 40
         x-trial-endpoint-call-remaining: 39",
        &[
            ("requests", "month", Some(1_000), None, None),
            ("requests", "minute", Some(40), Some(39), None),
        ],
    );
    check(
        "x-ratelimit-limit: 60
         x-ratelimit-remaining: 55
         x-ratelimit-reset: 1445412462",
        &[("unspecified", "unknown", Some(60), Some(55), secs(42))],
    );
    check(
        "x-ratelimit-limit-requests: 100
         x-ratelimit-remaining-requests: 99
         x-ratelimit-renewalperiod-requests: 10
         x-ratelimit-renewalperiod-tokens: 60
         x-ratelimit-remaining-tokens: 5
         x-ms-region: East US 2",
        &[
            ("requests", "second", Some(100), Some(99), None),
            ("tokens", "minute", None, Some(5), None),
        ],
    );
    check(
        r#"ratelimit: "a";r=50;t=30, "b";r=7
           ratelimit-policy: "b";q=10;w=3600, "a";q=100;w=60
           ratelimit-limit: 100, 100;w=60
           ratelimit-remaining: 50"#,
        &[
            ("unspecified", "unknown", Some(100), Some(50), None),
            ("unspecified", "minute", Some(100), Some(50), secs(30)),
            ("unspecified", "hour", Some(10), Some(7), None),
        ],
    );
}

#[test]
fn unknown_counter_is_ignored() {
    check(
        "x-ratelimit-limit-tokens: -1
         x-ratelimit-remaining-tokens: -1",
        &[],
    );
    check(
        "x-ratelimit-limit-tokens: -1
         x-ratelimit-remaining-tokens: -1
         x-ratelimit-reset-tokens: 0",
        &[("tokens", "unknown", None, None, secs(0))],
    );
    check(
        "x-ratelimit-remaining-tokens: 12",
        &[("tokens", "unknown", None, Some(12), None)],
    );
    // The remaining number is above the limit, and is reported unchanged.
    check(
        "x-ratelimit-limit-tokens: 10
         x-ratelimit-remaining-tokens: 12",
        &[("tokens", "unknown", Some(10), Some(12), None)],
    );
    // The lowest of several values is reported.
    check(
        "x-ratelimit-remaining-tokens: 12
         x-ratelimit-remaining-tokens: 9
         x-ratelimit-remaining-tokens: many",
        &[("tokens", "unknown", None, Some(9), None)],
    );
    check(
        "x-ratelimit-remaining-tokens: 99999999999999999999999",
        &[("tokens", "unknown", None, Some(u64::MAX), None)],
    );
    check(
        "x-ratelimit-remaining-tokens: 0.25",
        &[("tokens", "unknown", None, Some(1), None)],
    );
    check("", &[]);
    assert!(Quotas::from_headers(&headers("content-length: 5")).is_empty());
    assert!(Quotas::default().is_empty());
}

#[test]
fn utilization_is_read() {
    let read = |value: &str| {
        let line = format!("azure-openai-deployment-utilization: {value}");
        Quotas::from_headers(&headers(&line)).utilization()
    };
    assert_eq!(read("89.3%"), Some(89.3));
    assert_eq!(read("89.3"), Some(89.3));
    assert_eq!(read("0%"), Some(0.0));
    assert_eq!(read("104.25 %"), Some(104.25));
    for bad in ["", "%", "-1%", "NaN%", "1e400%", "high"] {
        assert_eq!(read(bad), None, "{bad:?}");
    }
    let quotas = Quotas::from_headers(&headers("azure-openai-deployment-utilization: 5%"));
    assert!(!quotas.is_empty());
    assert_eq!(quotas.iter().count(), 0);
}

#[test]
fn reset_is_read_as_date_or_wait() {
    let quotas = Quotas::from_headers(&headers(
        "x-ratelimit-reset-tokens: 5
         anthropic-ratelimit-tokens-reset: 2015-10-21T07:27:05Z",
    ));
    let resets: Vec<_> = quotas.iter().map(|quota| quota.reset()).collect();
    let wait = Duration::from_secs(5);
    assert_eq!(
        resets,
        [Some(When::After(wait)), Some(When::At(now() + wait))]
    );
}

#[test]
fn realtime_event_is_read() {
    let event = br#"{"type":"rate_limits.updated","event_id":"e","rate_limits":[{"name":"requests","limit":1000,"remaining":999,"reset_seconds":60},{"name":"tokens","limit":50000,"remaining":0,"reset_seconds":0.25},{"name":"bananas","limit":1},{"limit":1},5,{"name":"tokens","limit":-1,"remaining":null,"reset_seconds":"5"}]}"#;
    let quotas = Quotas::from_event(event).expect("the event");
    let read: Vec<_> = quotas
        .iter()
        .map(|quota| {
            (
                quota.dimension(),
                quota.limit(),
                quota.remaining(),
                quota.reset(),
            )
        })
        .collect();
    let after = |millis| Some(When::After(Duration::from_millis(millis)));
    assert_eq!(
        read,
        [
            (Dimension::Requests, Some(1_000), Some(999), after(60_000)),
            (Dimension::Tokens, Some(50_000), Some(0), after(250)),
        ]
    );
    for other in [
        &b"{}"[..],
        b"",
        b"[]",
        br#"{"type":"error"}"#,
        br#"{"type":"rate_limits.updated"}"#,
    ] {
        assert!(Quotas::from_event(other).is_none());
    }
}

//! Checks that reading a head in the common cases does not allocate.

use std::{hint::black_box, time::SystemTime};

use http::{HeaderMap, StatusCode};
use spillover_hint::{Hints, Quotas, Report};

/// Heads without known fields, with one wait, and with all fields of OpenAI, Azure OpenAI, Anthropic and the IETF.
const RESPONSES: [&str; 6] = [
    "content-type: application/json",
    "retry-after: Wed, 21 Oct 2015 07:28:00 GMT",
    "x-ratelimit-limit-requests: 500
     x-ratelimit-remaining-requests: 499
     x-ratelimit-reset-requests: 120ms
     x-ratelimit-limit-tokens: 200000
     x-ratelimit-remaining-tokens: 0
     x-ratelimit-reset-tokens: 6m0s
     x-should-retry: true",
    "retry-after: 1
     retry-after-ms: 0
     x-ratelimit-remaining-tokens: 0
     x-ratelimit-reset-tokens: 43
     x-ratelimit-renewalperiod-tokens: 60
     x-ratelimit-type: Tokens
     policy-id: DeploymentRatelimit-Token
     azure-openai-deployment-utilization: 89.3%",
    "anthropic-ratelimit-requests-remaining: 49
     anthropic-ratelimit-requests-reset: 2026-02-25T20:02:32Z
     anthropic-ratelimit-input-tokens-remaining: 0
     anthropic-ratelimit-input-tokens-reset: 2026-02-25T20:02:37Z
     date: Wed, 25 Feb 2026 20:02:30 GMT",
    r#"ratelimit: "default";r=0;t=30
     ratelimit-policy: "default";q=100;w=60"#,
];

#[test]
fn reading_a_head_does_not_allocate() {
    for lines in RESPONSES {
        let headers = headers(lines);
        let now = SystemTime::UNIX_EPOCH;
        let count = allocation_counter::measure(|| {
            black_box(Hints::from_headers(&headers).choose(now));
            black_box(Quotas::from_headers(&headers));
            for status in [
                StatusCode::OK,
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::FORBIDDEN,
            ] {
                let report = Report::from_head(status, &headers);
                black_box(report.and_then(|report| report.hint(now)));
            }
        });
        assert_eq!(count.count_total, 0, "{lines}");
    }
}

fn headers(lines: &str) -> HeaderMap {
    let lines = lines
        .lines()
        .map(|line| line.trim().split_once(": ").expect("a field"));
    lines
        .map(|(name, value)| {
            (
                name.parse().expect("a name"),
                value.parse().expect("a value"),
            )
        })
        .collect()
}

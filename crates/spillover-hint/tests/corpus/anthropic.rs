use crate::check_responses;

/// The corpus is read at `2015-10-21T07:27:00Z`.
#[test]
fn anthropic_heads_are_read() {
    check_responses(&[
        (
            429,
            "anthropic-ratelimit-requests-limit: 50
             anthropic-ratelimit-requests-remaining: 49
             anthropic-ratelimit-requests-reset: 2015-10-21T07:27:02Z
             anthropic-ratelimit-tokens-limit: 38000
             anthropic-ratelimit-tokens-remaining: 8000
             anthropic-ratelimit-tokens-reset: 2015-10-21T07:27:36Z
             anthropic-ratelimit-input-tokens-limit: 30000
             anthropic-ratelimit-input-tokens-remaining: 0
             anthropic-ratelimit-input-tokens-reset: 2015-10-21T07:27:37Z
             anthropic-ratelimit-output-tokens-limit: 8000
             anthropic-ratelimit-output-tokens-remaining: 8000
             anthropic-ratelimit-output-tokens-reset: 2015-10-21T07:27:36Z
             retry-after: 7",
            "",
            "throttled: 7s by retry-after (stated), input-tokens/unknown, body?",
        ),
        // With a `Date` the head is enough.
        (
            429,
            "anthropic-ratelimit-input-tokens-remaining: 0
             anthropic-ratelimit-input-tokens-reset: 2015-10-21T07:27:37Z
             retry-after: 7
             date: Wed, 21 Oct 2015 07:27:01 GMT",
            "",
            "throttled: 7s by retry-after (stated), input-tokens/unknown",
        ),
        (
            429,
            "anthropic-ratelimit-requests-remaining: 49
             anthropic-ratelimit-requests-reset: 2015-10-21T07:27:59Z
             anthropic-ratelimit-input-tokens-remaining: 0
             anthropic-ratelimit-input-tokens-reset: 2015-10-21T07:27:37Z",
            "",
            "throttled: 37s by anthropic-ratelimit-reset (exhausted), input-tokens/unknown, body?",
        ),
        // No limit is exhausted, so that a reset is not a hint.
        (
            429,
            "anthropic-ratelimit-input-tokens-remaining: 28000
             anthropic-ratelimit-input-tokens-reset: 2015-10-21T07:27:37Z",
            "",
            "throttled: -, unspecified/unknown, body?",
        ),
        // An exhausted priority tier falls back to the standard tier, so the standard tier refused.
        (
            429,
            "anthropic-priority-input-tokens-limit: 10000
             anthropic-priority-input-tokens-remaining: 0
             anthropic-priority-input-tokens-reset: 2015-10-21T07:27:50Z
             anthropic-priority-output-tokens-remaining: 4000
             anthropic-priority-output-tokens-reset: 2015-10-21T07:28:50Z
             anthropic-ratelimit-output-tokens-remaining: 0
             anthropic-ratelimit-output-tokens-reset: 2015-10-21T07:27:36Z",
            "",
            "throttled: 36s by anthropic-ratelimit-reset (exhausted), output-tokens/unknown, body?",
        ),
        (
            429,
            "anthropic-priority-input-tokens-remaining: 0
             anthropic-priority-input-tokens-reset: 2015-10-21T07:27:50Z",
            "",
            "throttled: 50s by anthropic-priority-reset (unspecific), unspecified/unknown, body?",
        ),
    ]);
}

#[test]
fn anthropic_bodies_are_read() {
    check_responses(&[
        (
            429,
            "x-should-retry: true",
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 30,000 input tokens per minute (org: x, model: claude). For details, refer to: https://docs.anthropic.com."},"request_id":"req_1"}"#,
            "throttled: -, input-tokens/minute",
        ),
        // The dimension is unknown, and no field states a wait.
        (
            429,
            "x-should-retry: true",
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 20,000,000 prompt bytes per hour."}}"#,
            "throttled: -, prompt-bytes/hour",
        ),
        (
            529,
            "",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            529,
            "retry-after: 10",
            "",
            "capacity: 10s by retry-after (stated), unspecified/unknown",
        ),
        (
            500,
            "",
            r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
            "failing: -, unspecified/unknown",
        ),
        (
            504,
            "",
            r#"{"type":"error","error":{"type":"timeout_error","message":"Timed out"}}"#,
            "failing: -, unspecified/unknown",
        ),
        (
            413,
            "",
            r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            "too-large: -, unspecified/unknown",
        ),
        (
            402,
            "",
            r#"{"type":"error","error":{"type":"billing_error","message":"Payment required"}}"#,
            "quota: -, unspecified/unknown",
        ),
        (
            401,
            "",
            r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
            "credential: -, unspecified/unknown",
        ),
        (
            403,
            "",
            r#"{"type":"error","error":{"type":"permission_error","message":"Not allowed"}}"#,
            "credential: -, unspecified/unknown",
        ),
        (
            429,
            "retry-after: 30",
            r#"{"type":"error","error":{"type":"rate_limit_error","reason":"enforced_spend_limit_reached","message":"You have reached your limit."}}"#,
            "quota: 30s by retry-after (stated), unspecified/unknown",
        ),
        (
            400,
            "x-should-retry: false",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."}}"#,
            "quota: -, unspecified/unknown",
        ),
        (
            400,
            "x-should-retry: false",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            "too-large: -, unspecified/unknown",
        ),
        (
            400,
            "x-should-retry: false",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: field required"}}"#,
            "client: -, unspecified/unknown",
        ),
    ]);
}

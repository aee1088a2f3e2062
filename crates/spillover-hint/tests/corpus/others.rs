//! Other vendors, and gateways in front.

use crate::check_responses;

#[test]
fn mistral_limits_are_read() {
    check_responses(&[
        (
            429,
            "ratelimitbysize-limit: 500000
             ratelimitbysize-remaining: 0
             ratelimitbysize-reset: 37
             ratelimitbysize-query-cost: 12000",
            "",
            "throttled: 37s by ratelimitbysize-reset (exhausted), tokens/unknown",
        ),
        (
            429,
            "x-ratelimitbysize-limit-minute: 500000
             x-ratelimitbysize-remaining-minute: 0
             x-ratelimitbysize-remaining-month: 900000
             retry-after: 12",
            "",
            "throttled: 12s by retry-after (stated), tokens/minute",
        ),
        (
            429,
            "x-ratelimitbysize-limit-month: 1000000
             x-ratelimitbysize-remaining-month: 0",
            "",
            "quota: -, tokens/month, body?",
        ),
        (
            429,
            "x-ratelimit-limit-req-minute: 60
             x-ratelimit-remaining-req-minute: 0
             x-ratelimit-limit-tokens-minute: 500000
             x-ratelimit-remaining-tokens-minute: 499000
             retry-after: 9",
            "",
            "throttled: 9s by retry-after (stated), requests/minute",
        ),
        (
            429,
            "",
            r#"{"object":"error","message":"Requests rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}"#,
            "throttled: -, requests/unknown",
        ),
        (
            429,
            "",
            r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"message":"Requests rate limit exceeded"}"#,
            "throttled: -, requests/unknown",
        ),
    ]);
}

#[test]
fn cohere_limits_are_read() {
    check_responses(&[
        (
            429,
            "",
            r#"{"message":"You are using a Trial key, which is limited to 40 API calls / minute. You can continue to use the Trial key for free or upgrade to a Production key."}"#,
            "throttled: -, requests/minute",
        ),
        (
            429,
            "",
            r#"{"id":"x","message":"You are using a Trial key, which is limited to 1000 API calls / month."}"#,
            "quota: -, requests/month",
        ),
    ]);
}

#[test]
fn limits_of_gateways_are_read() {
    check_responses(&[
        // OpenRouter: an epoch in milliseconds, 07:27:42, as a field and within the body.
        (
            429,
            "x-ratelimit-limit: 20
             x-ratelimit-remaining: 0
             x-ratelimit-reset: 1445412462000",
            "",
            "throttled: 42s by x-ratelimit-reset (exhausted), unspecified/unknown, body?",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-min. ","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"20","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1445412462000"},"provider_name":null}},"user_id":"u"}"#,
            "throttled: 42s by x-ratelimit-reset (exhausted), unspecified/minute",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. ","code":429,"metadata":{"headers":{"X-RateLimit-Limit":50,"X-RateLimit-Remaining":0,"X-RateLimit-Reset":1445412462000}}}}"#,
            "quota: 42s by x-ratelimit-reset (exhausted), unspecified/day",
        ),
        (
            402,
            "",
            r#"{"error":{"message":"Insufficient credits","code":402}}"#,
            "quota: -, unspecified/unknown",
        ),
        // LiteLLM passes on its upstream's fields.
        (
            429,
            "llm_provider-retry-after: 17
             llm_provider-x-ratelimit-remaining-tokens: 0
             llm_provider-date: Thu, 01 Jan 1970 00:00:00 GMT",
            "",
            "throttled: 17s by retry-after (stated), tokens/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"No deployments available for selected model. Try again in 60 seconds. Passed model=gpt-4o","type":"None","param":"None","code":"429"}}"#,
            "throttled: 60s by prose (last-resort), unspecified/unknown",
        ),
        // Envoy's own limit.
        (
            429,
            "x-envoy-ratelimited: true
             x-envoy-upstream-service-time: 3",
            "",
            "throttled: -, unspecified/unknown",
        ),
        (
            429,
            "x-envoy-ratelimited: true
             ratelimit-limit: 10, 10;w=60
             ratelimit-remaining: 0
             ratelimit-reset: 43",
            "",
            "throttled: 43s by ratelimit-reset (exhausted), unspecified/unknown",
        ),
        (
            503,
            "x-envoy-overloaded: true",
            "",
            "capacity: -, unspecified/unknown, body?",
        ),
        (
            429,
            "x-envoy-overloaded: true
             retry-after: 1",
            "",
            "capacity: 1s by retry-after (stated), unspecified/unknown",
        ),
    ]);
}

#[test]
fn other_spellings_of_fields_are_read() {
    check_responses(&[
        // GitHub: 07:27:42.
        (
            403,
            "x-ratelimit-limit: 60
             x-ratelimit-remaining: 0
             x-ratelimit-reset: 1445412462",
            "",
            "throttled: 42s by x-ratelimit-reset (exhausted), unspecified/unknown, body?",
        ),
        (
            403,
            "retry-after: 60
             x-ratelimit-remaining: 55",
            r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#,
            "throttled: 60s by retry-after (stated), unspecified/unknown",
        ),
        (
            403,
            "x-ratelimit-remaining: 55",
            r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#,
            "throttled: -, unspecified/unknown",
        ),
        (
            403,
            "",
            r#"{"message":"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."}"#,
            "throttled: -, unspecified/unknown",
        ),
        (
            403,
            "x-ratelimit-remaining: 55",
            r#"{"message":"Resource not accessible by personal access token"}"#,
            "credential: -, unspecified/unknown",
        ),
        (
            422,
            "",
            r#"{"message":"No issue is called 'secondary rate limit'"}"#,
            "client: -, unspecified/unknown",
        ),
        // Cerebras.
        (
            429,
            "x-ratelimit-remaining-requests-day: 14000
             x-ratelimit-reset-requests-day: 33011.382867097855
             x-ratelimit-remaining-tokens-minute: 0
             x-ratelimit-reset-tokens-minute: 11.1",
            "",
            "throttled: 11.1s by x-ratelimit-reset (exhausted), tokens/minute",
        ),
        (
            429,
            "x-ratelimit-remaining-requests-day: 0
             x-ratelimit-reset-requests-day: 33011.382867097855
             x-ratelimit-remaining-tokens-minute: 0
             x-ratelimit-reset-tokens-minute: 11.1",
            "",
            "quota: 33011.382867097s by x-ratelimit-reset (exhausted), requests/day",
        ),
        (
            429,
            "x-ratelimit-retry-after: 9",
            "",
            "throttled: 9s by x-ratelimit-retry-after (stated), unspecified/unknown, body?",
        ),
        (
            429,
            "x-retry-after: 9",
            "",
            "throttled: 9s by x-retry-after (stated), unspecified/unknown, body?",
        ),
        (
            429,
            "x-rate-limit-reset: 1445412462",
            "",
            "throttled: 42s by x-rate-limit-reset (unspecific), unspecified/unknown, body?",
        ),
        (
            429,
            "x-ratelimit-reset: \"1445412462\"",
            "",
            "throttled: 42s by x-ratelimit-reset (unspecific), unspecified/unknown, body?",
        ),
        (
            429,
            "x-ratelimit-reset: Wed Oct 21 2015 08:27:42 GMT+0100 (Central European Standard Time)",
            "",
            "throttled: 42s by x-ratelimit-reset (unspecific), unspecified/unknown, body?",
        ),
        (
            429,
            "retry-after: 1445412462",
            "",
            "throttled: 42s by retry-after (stated), unspecified/unknown, body?",
        ),
        (
            429,
            "x-ratelimit-remaining-minute: 0
             x-ratelimit-reset-minute: 12",
            "",
            "throttled: 12s by x-ratelimit-reset (exhausted), unspecified/minute",
        ),
        // `retry-after` beside a success is ignored; beside a 503 it counts.
        (
            503,
            "retry-after: 120",
            "",
            "capacity: 120s by retry-after (stated), unspecified/unknown",
        ),
        (
            429,
            "x-unknown-ratelimit: 5
             x-ratelimit-reset-bananas: 5
             x-ratelimit-banana: 5
             x-ratelimit-resetter: 5
             llm_provider-llm_provider-retry-after: 5",
            "",
            "throttled: -, unspecified/unknown, body?",
        ),
    ]);
}

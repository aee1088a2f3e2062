//! OpenAI, and Groq, which sends the same fields with other periods.

use crate::check_responses;

#[test]
fn openai_bodies_are_read() {
    check_responses(&[
        (
            429,
            "",
            r#"{"error":{"message":"Rate limit reached for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 50000, Used 47949, Requested 3006. Please try again in 1.146s. Visit https://platform.openai.com/account/rate-limits to learn more.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            "throttled: 1.146s by prose (last-resort), tokens/minute",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"Rate limit reached for gpt-4 on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.","type":"requests","code":"rate_limit_exceeded"}}"#,
            "throttled: 20s by prose (last-resort), requests/minute",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"Rate limit reached for gpt-4 on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 2m30s.","type":"requests","code":"rate_limit_exceeded"}}"#,
            "quota: 150s by prose (last-resort), requests/day",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"Rate limit reached on tokens per day (TPD): Limit 100, Used 90, Requested 20. Please try again in 6m0s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "quota: 360s by prose (last-resort), tokens/day",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 34307. The input or output tokens must be reduced in order to run successfully.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            "too-large: -, output-tokens/minute",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"Request too large for gpt-4o on tokens per day (TPD): Limit 30000, Requested 34307.","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "too-large: -, tokens/day",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            "quota: -, unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details."}}"#,
            "quota: -, unspecified/unknown",
        ),
        (
            503,
            "",
            r#"{"error":{"message":"Slow down. Reduce the rate, then ramp up.","code":"slow_down"}}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            503,
            "",
            r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"server_error","param":null,"code":null}}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            400,
            "x-should-retry: false",
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            "too-large: -, unspecified/unknown",
        ),
        (
            401,
            "",
            r#"{"error":{"message":"Incorrect API key provided: sk-a***z.","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            "credential: -, unspecified/unknown",
        ),
        (
            500,
            "",
            r#"{"error":{"message":"The server had an error","type":"server_error","code":null}}"#,
            "failing: -, unspecified/unknown",
        ),
    ]);
}

#[test]
fn wait_in_openai_message_is_read() {
    let waits = [
        ("84ms", "84ms"),
        ("20ms", "20ms"),
        ("11.054s", "11.054s"),
        ("1.146s", "1.146s"),
        ("20s", "20s"),
        ("2m30s", "150s"),
        ("6m0s", "360s"),
        ("2m28.608s", "148.608s"),
    ];
    for (written, read) in waits {
        let body = format!(
            r#"{{"error":{{"message":"Rate limit reached. Please try again in {written}. Visit us.","code":"rate_limit_exceeded"}}}}"#
        );
        let expected = format!("throttled: {read} by prose (last-resort), unspecified/unknown");
        check_responses(&[(429, "", &body, &expected)]);
    }
}

#[test]
fn openai_heads_are_read() {
    check_responses(&[
        // The head is enough: tokens ran out, and are renewed in seconds.
        (
            429,
            "retry-after: 2
             retry-after-ms: 1146
             x-should-retry: true
             x-ratelimit-limit-tokens: 50000
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 1.146s
             x-ratelimit-remaining-requests: 499
             x-ratelimit-reset-requests: 120ms",
            "",
            "throttled: 1.146s by retry-after-ms (stated), tokens/unknown",
        ),
        // The exhausted limit is unknown: it may be a limit per day.
        (
            429,
            "retry-after: 2
             x-ratelimit-remaining-tokens: 47000
             x-ratelimit-remaining-requests: 499",
            "",
            "throttled: 2s by retry-after (stated), unspecified/unknown, body?",
        ),
        // A limit per minute does not cause such a long wait.
        (
            429,
            "retry-after: 150
             x-ratelimit-remaining-requests: 0",
            "",
            "throttled: 150s by retry-after (stated), requests/unknown, body?",
        ),
        (
            429,
            "retry-after: 2
             x-should-retry: false
             x-ratelimit-remaining-tokens: 0",
            "",
            "throttled: 2s by retry-after (stated), tokens/unknown, body?",
        ),
        (429, "", "", "throttled: -, unspecified/unknown, body?"),
        // The other dimensions.
        (
            429,
            "x-ratelimit-limit-input-images: 50
             x-ratelimit-remaining-input-images: 0
             x-ratelimit-reset-input-images: 1.2s",
            "",
            "throttled: 1.2s by x-ratelimit-reset (exhausted), input-images/unknown",
        ),
        (
            429,
            "x-ratelimit-limit-project-tokens: 100
             x-ratelimit-remaining-project-tokens: 0
             x-ratelimit-reset-project-tokens: 6m0s",
            "",
            "throttled: 360s by x-ratelimit-reset (exhausted), project-tokens/unknown, body?",
        ),
        (
            429,
            "x-ratelimit-remaining-project-requests: 0
             x-ratelimit-reset-project-requests: 1s",
            "",
            "throttled: 1s by x-ratelimit-reset (exhausted), project-requests/unknown",
        ),
        (
            429,
            "x-ratelimit-remaining-tokens_usage_based: 0
             x-ratelimit-reset-tokens_usage_based: 12ms",
            "",
            "throttled: 12ms by x-ratelimit-reset (exhausted), usage-based-tokens/unknown",
        ),
        (
            429,
            "x-ratelimit-reset-tokens_usage_based: 9ms",
            "",
            "throttled: 9ms by x-ratelimit-reset (unspecific), unspecified/unknown, body?",
        ),
    ]);
}

#[test]
fn groq_limits_are_read() {
    check_responses(&[
        // A limit per day. Only the body names the period.
        (
            429,
            "retry-after: 149
             x-ratelimit-limit-requests: 14400
             x-ratelimit-limit-tokens: 18000
             x-ratelimit-remaining-requests: 14370
             x-ratelimit-remaining-tokens: 17997
             x-ratelimit-reset-requests: 2m59.56s
             x-ratelimit-reset-tokens: 7.66s",
            r#"{"error":{"message":"Rate limit reached for model `llama` in organization `org_x` service tier `on_demand` on tokens per day (TPD): Limit 200000, Used 199773, Requested 571. Please try again in 2m28.608s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "quota: 149s by retry-after (stated), tokens/day",
        ),
        (
            429,
            "x-ratelimit-remaining-requests: 14370
             x-ratelimit-remaining-tokens: 17997",
            r#"{"error":{"message":"Rate limit reached on tokens per day (TPD): Limit 200000, Used 199773, Requested 571. Please try again in 2m28.608s."}}"#,
            "quota: 148.608s by prose (last-resort), tokens/day",
        ),
        (
            429,
            "retry-after: 7.66
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 7.66s",
            "",
            "throttled: 7.66s by retry-after (stated), tokens/unknown",
        ),
        (
            429,
            "retry-after: 2
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 577.5ms",
            "",
            "throttled: 2s by retry-after (stated), tokens/unknown",
        ),
        (
            413,
            "",
            r#"{"error":{"message":"Request too large for model `llama` on tokens per minute (TPM): Limit 6000, Requested 7000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "too-large: -, tokens/minute",
        ),
        (413, "", "", "too-large: -, unspecified/unknown"),
        (498, "", "", "capacity: -, unspecified/unknown, body?"),
        (503, "", "", "capacity: -, unspecified/unknown, body?"),
    ]);
}

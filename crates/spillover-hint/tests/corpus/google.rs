//! Gemini and Vertex AI: all facts are in the body.

use crate::check_responses;

const EXHAUSTED: &str = r#""code":429,"message":"You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: generate_content_free_tier_requests, limit: 15\nPlease retry in 34.074824224s.","status":"RESOURCE_EXHAUSTED""#;

/// Returns an error with these details.
fn body(details: &str) -> String {
    format!(r#"{{"error":{{{EXHAUSTED},"details":{details}}}}}"#)
}

fn retry_info(delay: &str) -> String {
    format!(r#"{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":{delay}}}"#)
}

fn quota(id: &str) -> String {
    format!(
        r#"{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"{id}","quotaDimensions":{{"location":"global"}},"quotaValue":"50"}}]}}"#
    )
}

#[test]
fn retry_info_states_the_wait() {
    let delays = [
        (r#""22s""#, "22s"),
        (r#""59s""#, "59s"),
        (r#""34.07s""#, "34.07s"),
        (r#""34.074824224s""#, "34.074824224s"),
        (r#""0.847655010s""#, "847.65501ms"),
        (r#"{"seconds":22,"nanos":0}"#, "22s"),
        (r#"{"seconds":"22","nanos":500000000}"#, "22.5s"),
        (r#"{"nanos":500000000}"#, "500ms"),
        (r#""22""#, "22s"),
        ("22", "22s"),
        ("22.5", "22.5s"),
        (r#""22.s""#, "22s"),
    ];
    for (written, read) in delays {
        let body = body(&format!("[{}]", retry_info(written)));
        let expected = format!("throttled: {read} by retry-info (stated), unspecified/unknown");
        check_responses(&[(429, "", &body, &expected)]);
    }

    // A delay of zero is replaced by the wait in the message.
    let zero = body(&format!("[{}]", retry_info(r#""0s""#)));
    check_responses(&[(
        429,
        "",
        &zero,
        "throttled: 34.074824224s by prose (not-zero), unspecified/unknown",
    )]);
    for bad in [
        r#""soon""#,
        "null",
        "[]",
        "-1",
        r#""-5s""#,
        r#"{"seconds":-1,"nanos":-1}"#,
    ] {
        let body = body(&format!("[{}]", retry_info(bad)));
        check_responses(&[(
            429,
            "",
            &body,
            "throttled: 34.074824224s by prose (last-resort), unspecified/unknown",
        )]);
    }
}

#[test]
fn quota_failure_names_dimension_and_period() {
    let minute = format!(
        "[{},{}]",
        quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
        retry_info(r#""22s""#)
    );
    let tokens = format!(
        "[{},{}]",
        retry_info(r#""22s""#),
        quota("GenerateContentInputTokensPerModelPerMinute")
    );
    // Beside a quota per day, the delay is that of a limit per minute: the quota is still exhausted after it.
    let day = format!(
        "[{},{},{}]",
        quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
        r#"{"@type":"type.googleapis.com/google.rpc.Help","links":[{"url":"https://ai.google.dev"}]}"#,
        retry_info(r#""22s""#)
    );
    let both = format!(
        "[{},{},{}]",
        quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
        quota("GenerateContentInputTokensPerModelPerMinute"),
        retry_info(r#""22s""#)
    );
    let nothing = r#"[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"RequestsPerMinute","quotaValue":"0"}]}]"#;
    check_responses(&[
        (
            429,
            "",
            &body(&minute),
            "throttled: 22s by retry-info (stated), requests/minute",
        ),
        (
            429,
            "",
            &body(&tokens),
            "throttled: 22s by retry-info (stated), input-tokens/minute",
        ),
        (429, "", &body(&day), "quota: -, requests/day"),
        (429, "", &body(&both), "quota: -, requests/day"),
        (429, "", &body(nothing), "quota: -, requests/minute"),
    ]);
}

#[test]
fn details_in_other_shapes_are_read() {
    let in_array = format!("[{}]", body(&format!("[{}]", retry_info(r#""22s""#))));
    let info = body(
        r#"[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com"}]"#,
    );
    let no_list = body(&retry_info(r#""22s""#));
    check_responses(&[
        (
            429,
            "",
            &in_array,
            "throttled: 22s by retry-info (stated), unspecified/unknown",
        ),
        (
            429,
            "",
            &info,
            "throttled: 34.074824224s by prose (last-resort), unspecified/unknown",
        ),
        (
            429,
            "",
            &no_list,
            "throttled: 22s by retry-info (stated), unspecified/unknown",
        ),
        (
            429,
            "",
            &body(r#""none""#),
            "throttled: 34.074824224s by prose (last-resort), unspecified/unknown",
        ),
        // Without details, only the message is read, which is the same for every limit.
        (
            429,
            "",
            &format!(r#"{{"error":{{{EXHAUSTED}}}}}"#),
            "throttled: 34.074824224s by prose (last-resort), unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"code":429,"message":"Resource exhausted. Please try again later.","status":"RESOURCE_EXHAUSTED"}}"#,
            "throttled: -, unspecified/unknown",
        ),
        (
            503,
            "",
            r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            500,
            "",
            r#"{"error":{"code":500,"message":"An internal error has occurred.","status":"INTERNAL"}}"#,
            "failing: -, unspecified/unknown",
        ),
        (
            504,
            "",
            r#"{"error":{"code":504,"message":"Deadline expired.","status":"DEADLINE_EXCEEDED"}}"#,
            "failing: -, unspecified/unknown",
        ),
        (
            400,
            "",
            r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#,
            "credential: -, unspecified/unknown",
        ),
        (
            400,
            "",
            r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            "too-large: -, unspecified/unknown",
        ),
        // An error body of a model partner, with the status of Vertex AI.
        (
            529,
            "",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"Quota exceeded for aiplatform.googleapis.com/online_prediction_tokens_per_minute_per_base_model with base model: anthropic-claude. Please submit a quota increase request."}}"#,
            "throttled: -, tokens/minute",
        ),
    ]);
}

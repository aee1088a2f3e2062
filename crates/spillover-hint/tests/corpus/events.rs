//! Errors in streams that began with 200.

use spillover_hint::Report;

use crate::summary;

#[test]
fn errors() {
    let table = [
        (
            "error",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            "error",
            r#"{"type":"error","code":"rate_limit_exceeded","message":"Rate limit reached on tokens per min (TPM). Please try again in 20s.","param":null}"#,
            "throttled: 20s by prose (last-resort), tokens/minute",
        ),
        (
            "response.failed",
            r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"Please try again in 84ms."}}}"#,
            "throttled: 84ms by prose (last-resort), unspecified/unknown",
        ),
        (
            "",
            r#"{"type":"response.done","response":{"status":"failed","status_details":{"type":"failed","error":{"type":"insufficient_quota","code":"insufficient_quota"}}}}"#,
            "quota: -, unspecified/unknown",
        ),
        (
            "",
            r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"22s"}]}}"#,
            "throttled: 22s by retry-info (stated), unspecified/unknown",
        ),
        (
            "message",
            r#"[{"error":{"code":503,"message":"x"}}]"#,
            "capacity: -, unspecified/unknown",
        ),
        ("", r#"{"error":"boom"}"#, "failing: -, unspecified/unknown"),
        ("error", "", "failing: -, unspecified/unknown"),
        (
            "error",
            "retry in 5s",
            "failing: 5s by prose (last-resort), unspecified/unknown",
        ),
        (
            "throttlingException",
            r#"{"message":"Too many tokens, please wait before trying again."}"#,
            "throttled: -, tokens/unknown",
        ),
        (
            "serviceUnavailableException",
            r#"{"message":"Busy."}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            "modelStreamErrorException",
            r#"{"message":"Broken.","originalStatusCode":424}"#,
            "failing: -, unspecified/unknown",
        ),
        (
            "validationException",
            r#"{"message":"Bad."}"#,
            "client: -, unspecified/unknown",
        ),
    ];
    for (name, data, expected) in table {
        let report = Report::from_event(name, data.as_bytes()).expect("an error");
        assert_eq!(summary(&report), expected, "{name} {data}");
    }
}

#[test]
fn everything_else() {
    let table = [
        (
            "message_start",
            r#"{"type":"message_start","message":{"id":"msg_1"}}"#,
        ),
        ("ping", r#"{"type":"ping"}"#),
        ("", "[DONE]"),
        ("", ""),
        ("", r#"{"error":null,"choices":[]}"#),
        ("", r#"{"error":""}"#),
        (
            "",
            r#"{"choices":[{"delta":{"content":"error: rate_limit_exceeded"}}]}"#,
        ),
        (
            "response.done",
            r#"{"type":"response.done","response":{"status":"completed"}}"#,
        ),
        (
            "rate_limits.updated",
            r#"{"type":"rate_limits.updated","rate_limits":[]}"#,
        ),
        ("", r#"{"error":{"#),
        ("tokens", "{}"),
    ];
    for (name, data) in table {
        assert!(
            Report::from_event(name, data.as_bytes()).is_none(),
            "{name} {data}"
        );
    }
}

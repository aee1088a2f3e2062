//! Errors in streams that began with status 200.

use http::{HeaderMap, StatusCode};
use spillover_hint::Report;

use crate::summary;

#[test]
fn error_event_is_read() {
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

/// An error in a stream gets the status that it would have had as a response.
#[test]
fn error_event_has_the_status_of_an_equivalent_response() {
    let anthropic =
        |kind| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"x"}}}}"#);
    let table = [
        ("error", anthropic("overloaded_error"), 529),
        ("error", anthropic("rate_limit_error"), 429),
        ("error", anthropic("api_error"), 500),
        ("error", anthropic("timeout_error"), 504),
        ("error", anthropic("billing_error"), 402),
        ("error", anthropic("request_too_large"), 413),
        ("error", anthropic("authentication_error"), 401),
        ("error", anthropic("permission_error"), 403),
        ("error", anthropic("not_found_error"), 404),
        ("error", anthropic("invalid_request_error"), 400),
        ("throttlingException", String::new(), 429),
        ("serviceUnavailableException", String::new(), 503),
        ("internalServerException", String::new(), 500),
        ("modelStreamErrorException", String::new(), 424),
        ("modelTimeoutException", String::new(), 408),
        ("validationException", String::new(), 400),
        ("somethingNewException", String::new(), 500),
        ("error", r#"{"code":"rate_limit_exceeded"}"#.to_owned(), 429),
        ("error", r#"{"code":"server_error"}"#.to_owned(), 500),
        ("error", r#"{"code":"insufficient_quota"}"#.to_owned(), 429),
        (
            "error",
            r#"{"code":"context_length_exceeded"}"#.to_owned(),
            400,
        ),
        // The status in the error is used. An invalid number is ignored.
        (
            "",
            r#"{"error":{"code":502,"type":"overloaded_error"}}"#.to_owned(),
            502,
        ),
        (
            "",
            r#"{"error":{"code":"429","message":"x"}}"#.to_owned(),
            429,
        ),
        (
            "",
            r#"{"error":{"code":1300,"message":"x"}}"#.to_owned(),
            429,
        ),
        (
            "",
            r#"{"error":{"code":200,"message":"x"}}"#.to_owned(),
            500,
        ),
        // The code does not decide the kind, so that its status is not used either.
        (
            "error",
            r#"{"error":{"type":"timeout_error","message":"The model is overloaded."}}"#.to_owned(),
            503,
        ),
        (
            "error",
            r#"{"error":{"type":"not_found_error","code":"insufficient_quota"}}"#.to_owned(),
            429,
        ),
    ];
    for (name, data, expected) in table {
        let report = Report::from_event(name, data.as_bytes()).expect("an error");
        assert_eq!(report.status().as_u16(), expected, "{name} {data}");
    }

    // A response keeps its own status, whatever its body says.
    let report = Report::from_head(StatusCode::BAD_REQUEST, &HeaderMap::new());
    let report = report
        .expect("a refusal")
        .with_body(br#"{"error":{"code":429}}"#);
    assert_eq!(report.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn event_without_an_error_is_not_a_refusal() {
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
        // An application error of MCP, A2A or similar, from a server that works.
        (
            "message",
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool"}}"#,
        ),
        ("tokens", "{}"),
    ];
    for (name, data) in table {
        assert!(
            Report::from_event(name, data.as_bytes()).is_none(),
            "{name} {data}"
        );
    }
}

//! Error bodies of any shape, also truncated, long and without facts.

use std::iter::repeat_n;

use http::{HeaderMap, StatusCode};
use spillover_hint::Report;

use crate::{check_responses, now, summary};

fn read_body(body: &[u8]) -> Report {
    Report::from_head(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new())
        .expect("a refusal")
        .with_body(body)
}

const NOTHING: &str = "throttled: -, unspecified/unknown";

#[test]
fn body_without_facts_does_not_change_the_report() {
    let bodies: [&[u8]; 24] = [
        b"",
        b" ",
        b"\xef\xbb\xbf",
        b"[]",
        b"{}",
        b"null",
        b"42",
        b"\"\"",
        b"{\"error\":null}",
        b"{\"error\":[]}",
        b"{\"error\":{}}",
        b"{\"error\":{\"code\":null,\"message\":null,\"details\":null}}",
        b"{\"error\":{\"code\":{},\"type\":[],\"message\":5,\"details\":5}}",
        b"{\"error\":{\"details\":[null,5,\"x\",[],{}]}}",
        b"{\"error\":{\"details\":[{\"violations\":{}},{\"violations\":[5]},{\"retryDelay\":true}]}}",
        b"{\"error\":{\"metadata\":{\"headers\":[]}}}",
        b"{\"error\":{\"metadata\":{\"headers\":{\"retry-after\":[5],\"\":\"5\",\"date\":null}}}}",
        b"{\"error\":",
        b"{\"error\":\"rate limited\"",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        b"\x00\xff\xfe",
        b"<html>",
        b"<title>",
        b"not json: try again in five seconds",
    ];
    for body in bodies {
        assert_eq!(
            summary(&read_body(body)),
            NOTHING,
            "{}",
            body.escape_ascii()
        );
    }
}

/// The sentence in the first half of a body states the same wait as the whole body.
#[test]
fn truncated_body_is_read() {
    let body = r#"{"error":{"message":"Rate limit reached on tokens per min (TPM): Limit 3, Used 3. Please try again in 20s. Visit","code":"rate_lim"#;
    check_responses(&[(
        429,
        "",
        body,
        "throttled: 20s by prose (last-resort), tokens/minute",
    )]);
    let whole = r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"22s"}]}}"#;
    for end in 0..whole.len() {
        let report = read_body(&whole.as_bytes()[..end]);
        assert_eq!(summary(&report), NOTHING, "{end}");
    }
}

#[test]
fn error_is_read_at_unusual_places() {
    check_responses(&[
        (429, "", r#"{"error":"rate limited"}"#, NOTHING),
        (
            429,
            "",
            r#"{"error":"rate limited, try again in 5 minutes"}"#,
            "throttled: 300s by prose (last-resort), unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"detail":"Retry after 3 s"}"#,
            "throttled: 3s by prose (last-resort), unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"errors":[{"message":"too fast"},{"code":"insufficient_quota"}]}"#,
            "quota: -, unspecified/unknown",
        ),
        (
            429,
            "",
            "\"Please retry in 3s\"",
            "throttled: 3s by prose (last-resort), unspecified/unknown",
        ),
        (
            429,
            "",
            "\u{feff} {\"message\":\"Please retry in 3s\"}",
            "throttled: 3s by prose (last-resort), unspecified/unknown",
        ),
        (429, "", r#"{"error":{"code":429}}"#, NOTHING),
        (429, "", r#"{"error":{"code":"429"}}"#, NOTHING),
        (
            429,
            "",
            r#"{"code":3505}"#,
            "capacity: -, unspecified/unknown",
        ),
    ]);
}

#[test]
fn html_body_is_read_by_its_title_only() {
    let page = "<!DOCTYPE html><html><head><TITLE class=x>Error 1015:\n rate limited</TITLE>\
        <script>retry in 5 seconds</script></head><body>try again in 9 seconds</body></html>";
    let report = read_body(page.as_bytes());
    assert_eq!(summary(&report), NOTHING);
    assert_eq!(report.cause(), Some("Error 1015: rate limited"));
    for status in [520, 521, 522, 523, 524, 525, 526, 502] {
        check_responses(&[(status, "", page, "failing: -, unspecified/unknown")]);
    }
}

#[test]
fn long_body_is_read_in_part() {
    let nested = "[".repeat(100_000);
    assert_eq!(summary(&read_body(nested.as_bytes())), NOTHING);
    let deep = format!(
        "{}{}{}",
        r#"{"error":"#.repeat(60),
        r#"{"code":"insufficient_quota"}"#,
        "}".repeat(60)
    );
    assert_eq!(summary(&read_body(deep.as_bytes())), NOTHING);

    // Only the first 64 KiB are read.
    let mut long: Vec<u8> = b"Please retry in 5s.".to_vec();
    long.extend(repeat_n(b' ', 10 << 20));
    long.extend(b"Please retry in 50s.");
    let report = read_body(&long);
    assert_eq!(report.hint(now()).map(|h| h.wait().as_secs()), Some(5));
}

#[test]
fn wait_in_a_sentence_is_read() {
    let table = [
        ("(reset after 2m 13s)", "133s"),
        ("Quota resets in 2 minutes", "120s"),
        ("Try again in ~162 min", "9720s"),
        ("try again in 12 seconds", "12s"),
        ("Retry your request in 12 seconds.", "12s"),
        ("Quota will reset in 01:23:45.", "5025s"),
        ("Please retry after 26 seconds. Please go here.", "26s"),
        ("Please wait 20 seconds", "20s"),
        (
            "please wait for about 1 hour and 5 minutes, then go on",
            "3900s",
        ),
        ("Retry in 30", "30s"),
        ("Retry in 30.", "30s"),
        ("Retry after 1.5 hrs", "5400s"),
        ("RETRY AFTER 3 SECONDS", "3s"),
        ("available again in 1 day", "86400s"),
        ("Retry in 5s! Or retry in 9s; retry in 7s.", "9s"),
        (
            "Please retry in 99999999999999999999999s",
            "18446744073709551615.999999999s",
        ),
    ];
    for (message, wait) in table {
        let expected = format!("throttled: {wait} by prose (last-resort), unspecified/unknown");
        assert_eq!(
            summary(&read_body(message.as_bytes())),
            expected,
            "{message}"
        );
    }

    for message in [
        "Timed out after 30 seconds. Please retry.",
        "The request took 30 seconds",
        "Try again later",
        "Try again in a few minutes",
        "Try again in 5 requests",
        "try again in -5s",
        "retry in 50% of cases",
        "in 12 apples",
        "Retry in 99:99:99:99",
    ] {
        assert_eq!(
            summary(&read_body(message.as_bytes())),
            NOTHING,
            "{message}"
        );
    }
}

/// A client whose own text appears in an error must not be able to close a backend.
#[test]
fn quoted_sentence_does_not_state_a_wait() {
    let quoted = r#"{"error":{"type":"invalid_request_error","message":"Unknown value: 'your credit balance is too low, 5 requests per day, overloaded, spend limit'"}}"#;
    check_responses(&[
        (400, "", quoted, "client: -, requests/day"),
        (422, "", quoted, "client: -, requests/day"),
        (500, "", quoted, "failing: -, requests/day"),
        (503, "", quoted, "capacity: -, requests/day"),
    ]);
}

#[test]
fn cause_is_one_short_line_without_secrets() {
    let cause = |body: &str| read_body(body.as_bytes()).cause().map(str::to_owned);
    assert_eq!(
        cause("{\"error\":{\"message\":\" a\\u0000b\\n\\n\\tc\\u202e \\u001b[31md\"}}").as_deref(),
        Some("ab c [31md")
    );
    assert_eq!(cause("Too fast.\r\n").as_deref(), Some("Too fast."));
    assert_eq!(
        cause(r#"{"message":"outer","error":{"message":"inner"}}"#).as_deref(),
        Some("inner")
    );
    assert_eq!(cause("{}"), None);
    assert_eq!(cause(r#"{"error":{"message":"\u0000 \u0007"}}"#), None);

    let long = cause(&format!("x {}", "é".repeat(1000))).expect("a cause");
    assert_eq!(long.chars().count(), 300);

    // Found by fuzzing: the space before the next word filled the last free character.
    let words = cause(&format!("{} word", "x".repeat(299))).expect("a cause");
    assert_eq!(words, "x".repeat(299));
    let words = cause(&format!("{} word", "x".repeat(298))).expect("a cause");
    assert_eq!(words, format!("{} w", "x".repeat(298)));
    // A fragment of JSON is not shown as a cause.
    assert_eq!(cause(r#"{"error":{"message":"cut o"#), None);

    // The message of a 401 may quote the key.
    let report = Report::from_head(StatusCode::UNAUTHORIZED, &HeaderMap::new()).expect("a refusal");
    let report = report.with_body(br#"{"error":{"message":"Incorrect API key provided: sk-123"}}"#);
    assert_eq!(report.cause(), None);
}

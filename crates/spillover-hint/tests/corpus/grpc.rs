use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use http::{HeaderMap, StatusCode};
use spillover_hint::Report;

use crate::{headers, summary};

fn read(lines: &str) -> Option<Report> {
    Report::from_trailers(&headers(lines))
}

/// Returns an encoded field with this number and these bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let len = value.len();
    assert!(len < 1 << 14, "two bytes of length");
    match len {
        0..128 => field.push(len as u8),
        _ => field.extend([len as u8 | 0x80, (len >> 7) as u8]),
    }
    field.extend(value);
    field
}

fn detail(name: &str, message: &[u8]) -> Vec<u8> {
    let url = format!("type.googleapis.com/google.rpc.{name}");
    field(3, &[field(1, url.as_bytes()), field(2, message)].concat())
}

fn with_details(details: &[Vec<u8>]) -> String {
    let status = [vec![8, 8], field(2, b"Quota exceeded"), details.concat()].concat();
    format!(
        "grpc-status: 8\ngrpc-status-details-bin: {}",
        STANDARD.encode(status)
    )
}

#[test]
fn status_code_decides_the_kind() {
    let table = [
        ("1", "client"),
        ("2", "failing"),
        ("3", "client"),
        ("4", "failing"),
        ("5", "client"),
        ("7", "credential"),
        ("8", "throttled"),
        ("9", "client"),
        ("10", "client"),
        ("12", "client"),
        ("13", "failing"),
        ("14", "capacity"),
        ("15", "failing"),
        ("16", "credential"),
        ("99", "failing"),
    ];
    for (status, refusal) in table {
        let report = read(&format!("grpc-status: {status}")).expect("a refusal");
        assert_eq!(report.refusal().as_str(), refusal, "{status}");
        assert!(!report.needs_body());
    }
    let stands_for = |status: &str| {
        let report = read(&format!("grpc-status: {status}"));
        report.map(|report| report.status().as_u16())
    };
    assert_eq!(stands_for("8"), Some(429));
    assert_eq!(stands_for("14"), Some(503));
    for status in ["0", "-1", "", "ok", "4294967296"] {
        assert!(
            read(&format!("grpc-status: {status}")).is_none(),
            "{status:?}"
        );
    }
    assert!(read("").is_none());
}

/// In a trailers-only response, the head has the gRPC status. The HTTP status is 200.
#[test]
fn trailers_only_response_is_read() {
    let lines =
        headers("content-type: application/grpc\ngrpc-status: 8\ngrpc-retry-pushback-ms: 1500");
    let report = Report::from_head(StatusCode::OK, &lines).expect("a refusal");
    assert_eq!(
        summary(&report),
        "throttled: 1.5s by grpc-retry-pushback-ms (stated), unspecified/unknown"
    );
    let ok = headers("content-type: application/grpc\ngrpc-status: 0");
    assert!(Report::from_head(StatusCode::OK, &ok).is_none());
    assert!(Report::from_head(StatusCode::OK, &HeaderMap::new()).is_none());
}

#[test]
fn pushback_states_the_wait() {
    let pushback = |value: &str| {
        let report = read(&format!("grpc-status: 14\ngrpc-retry-pushback-ms: {value}"));
        let report = report.expect("a refusal");
        (summary(&report), report.should_retry())
    };
    let wait =
        |wait| format!("capacity: {wait} by grpc-retry-pushback-ms (stated), unspecified/unknown");
    let none = || "capacity: -, unspecified/unknown".to_owned();
    assert_eq!(pushback("0"), (wait("0ns"), None));
    assert_eq!(pushback("25"), (wait("25ms"), None));
    assert_eq!(pushback("2147483647"), (wait("2147483.647s"), None));
    for forbidden in ["-1", "-0.5", "2147483648", "1.5", "soon", "", "1s"] {
        assert_eq!(pushback(forbidden), (none(), Some(false)), "{forbidden:?}");
    }
}

#[test]
fn binary_details_are_read() {
    let delay = |message: &[u8]| detail("RetryInfo", &field(1, message));
    let violation = |fields: &[Vec<u8>]| detail("QuotaFailure", &field(1, &fields.concat()));
    let table = [
        (
            vec![delay(&[8, 22])],
            "throttled: 22s by retry-info (stated), unspecified/unknown",
        ),
        // 22.5 s, with the nanoseconds first.
        (
            vec![delay(&[16, 0x80, 0xca, 0xb5, 0xee, 0x01, 8, 22])],
            "throttled: 22.5s by retry-info (stated), unspecified/unknown",
        ),
        (
            vec![delay(&[])],
            "throttled: 0ns by retry-info (stated), unspecified/unknown",
        ),
        (
            vec![
                delay(&[8, 22]),
                violation(&[
                    field(1, b"project:1"),
                    field(5, b"GenerateRequestsPerMinutePerProject"),
                ]),
            ],
            "throttled: 22s by retry-info (stated), requests/minute",
        ),
        (
            vec![
                delay(&[8, 22]),
                violation(&[field(5, b"GenerateRequestsPerDayPerProject")]),
            ],
            "quota: -, requests/day",
        ),
        (
            vec![violation(&[field(
                2,
                b"Limit of 10 tokens per minute, retry in 5s",
            )])],
            "throttled: -, tokens/minute",
        ),
        (
            vec![detail(
                "ErrorInfo",
                &[field(1, b"RATE_LIMIT_EXCEEDED"), field(2, b"x")].concat(),
            )],
            "throttled: -, unspecified/unknown",
        ),
        (
            vec![detail("ErrorInfo", &field(1, b"BILLING_NOT_ACTIVE"))],
            "quota: -, unspecified/unknown",
        ),
        (
            vec![
                detail("Help", &[8, 22]),
                vec![29, 1, 2, 3, 4],
                vec![33, 1, 2, 3, 4, 5, 6, 7, 8],
            ],
            "throttled: -, unspecified/unknown",
        ),
        // A negative duration.
        (
            vec![delay(&[
                8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ])],
            "throttled: -, unspecified/unknown",
        ),
        (
            vec![delay(&[
                16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ])],
            "throttled: -, unspecified/unknown",
        ),
        // An unreadable field ends the message.
        (
            vec![vec![0xff; 12], delay(&[8, 22])],
            "throttled: -, unspecified/unknown",
        ),
        (
            vec![vec![0x1b], delay(&[8, 22])],
            "throttled: -, unspecified/unknown",
        ),
        (
            vec![delay(&[8, 22]), vec![0x1a, 0x7f]],
            "throttled: 22s by retry-info (stated), unspecified/unknown",
        ),
    ];
    for (details, expected) in table {
        let report = read(&with_details(&details)).expect("a refusal");
        assert_eq!(summary(&report), expected, "{details:?}");
        assert_eq!(report.cause(), Some("Quota exceeded"), "{details:?}");
    }
}

#[test]
fn padded_and_unpadded_base64_is_decoded() {
    let status = [vec![8, 8], detail("RetryInfo", &field(1, &[8, 22]))].concat();
    let report = |value: String| {
        let lines = format!("grpc-status: 8\ngrpc-status-details-bin: {value}");
        summary(&read(&lines).expect("a refusal"))
    };
    let found = "throttled: 22s by retry-info (stated), unspecified/unknown";
    assert_eq!(report(STANDARD.encode(&status)), found);
    assert_eq!(report(STANDARD_NO_PAD.encode(&status)), found);
    assert_eq!(
        report(format!(" {} , AAAA", STANDARD.encode(&status))),
        found
    );
    for bad in [
        String::new(),
        "*".to_owned(),
        "A".to_owned(),
        "A".repeat(70_000),
    ] {
        assert_eq!(report(bad), "throttled: -, unspecified/unknown");
    }
}

#[test]
fn wait_in_grpc_message_is_read() {
    let table = [
        (
            "Quota%20exceeded%2C try again in 5s%0a%zz%e2%82%ac%",
            "throttled: 5s by prose (last-resort), unspecified/unknown",
            Some("Quota exceeded, try again in 5s %zz\u{20ac}%"),
        ),
        ("", "throttled: -, unspecified/unknown", None),
        (
            "limit of 5 requests per day",
            "quota: -, requests/day",
            Some("limit of 5 requests per day"),
        ),
    ];
    for (message, expected, cause) in table {
        let report = read(&format!("grpc-status: 8\ngrpc-message: {message}")).expect("a refusal");
        assert_eq!(summary(&report), expected, "{message}");
        assert_eq!(report.cause(), cause, "{message}");
    }
}

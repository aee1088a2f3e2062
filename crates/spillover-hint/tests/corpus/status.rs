use std::time::Duration;

use http::{HeaderMap, StatusCode};
use spillover_hint::{Period, Refusal, Report, Rule};

use crate::{headers, now};

#[test]
fn every_status_has_a_kind() {
    for code in 100..1000 {
        let status = StatusCode::from_u16(code).expect("a status");
        let report = Report::from_head(status, &HeaderMap::new());
        let expected = match code {
            429 => Some(Refusal::Throttled),
            498 | 503 | 529 => Some(Refusal::Capacity),
            413 => Some(Refusal::TooLarge),
            402 => Some(Refusal::Quota),
            401 | 403 | 407 => Some(Refusal::Credential),
            408 | 424 | 499..600 => Some(Refusal::Failing),
            400..499 => Some(Refusal::Client),
            _ => None,
        };
        assert_eq!(report.map(|report| report.refusal()), expected, "{code}");
    }
}

/// A success or a redirect with `retry-after` is not a refusal.
#[test]
fn success_and_redirect_are_not_refusals() {
    let lines = headers(
        "retry-after: 5
         x-ratelimit-remaining-tokens: 0
         x-ratelimit-reset-tokens: 5",
    );
    for code in [200, 201, 204, 301, 304, 307] {
        let status = StatusCode::from_u16(code).expect("a status");
        assert!(Report::from_head(status, &lines).is_none(), "{code}");
    }
}

#[test]
fn body_is_needed_unless_the_head_is_enough() {
    for code in [400, 401, 403, 404, 422, 429, 498, 503, 529] {
        let status = StatusCode::from_u16(code).expect("a status");
        let report = Report::from_head(status, &HeaderMap::new()).expect("a refusal");
        assert!(report.needs_body(), "{code}");
        assert!(!report.with_body(b"").needs_body(), "{code}");
    }
    for code in [402, 405, 408, 409, 413, 424, 499, 500, 502, 504, 520] {
        let status = StatusCode::from_u16(code).expect("a status");
        let report = Report::from_head(status, &HeaderMap::new()).expect("a refusal");
        assert!(!report.needs_body(), "{code}");
    }
}

#[test]
fn x_should_retry_is_read() {
    let read = |lines| {
        let report = Report::from_head(StatusCode::TOO_MANY_REQUESTS, &headers(lines));
        report.expect("a refusal").should_retry()
    };
    assert_eq!(read(""), None);
    assert_eq!(read("x-should-retry: true"), Some(true));
    assert_eq!(read("x-should-retry: FALSE "), Some(false));
    assert_eq!(read("x-should-retry: maybe"), None);
    assert_eq!(
        read("x-should-retry: true\nx-should-retry: false"),
        Some(false)
    );
    assert_eq!(
        read("x-should-retry: false\nx-should-retry: true"),
        Some(false)
    );
}

#[test]
fn longer_reset_is_chosen_after_another_refusal() {
    let lines = headers(
        "retry-after: 2
         x-ratelimit-remaining-tokens: 0
         x-ratelimit-reset-tokens: 43",
    );
    let report = Report::from_head(StatusCode::TOO_MANY_REQUESTS, &lines).expect("a refusal");
    let hint = report.hint(now()).expect("a hint");
    assert_eq!(
        (hint.wait(), hint.rule()),
        (Duration::from_secs(2), Rule::Stated)
    );
    let hint = report.hint_again(now()).expect("a hint");
    assert_eq!(
        (hint.wait(), hint.rule()),
        (Duration::from_secs(43), Rule::RefusedAgain)
    );
    assert_eq!(hint.period(), Period::Unknown);
}

#[test]
fn names_of_kinds_are_stable() {
    let refusals = [
        (Refusal::Throttled, "throttled", true),
        (Refusal::Capacity, "capacity", true),
        (Refusal::TooLarge, "too-large", false),
        (Refusal::Quota, "quota", true),
        (Refusal::Credential, "credential", false),
        (Refusal::Failing, "failing", true),
        (Refusal::Client, "client", false),
    ];
    for (refusal, name, cools) in refusals {
        assert_eq!((refusal.as_str(), refusal.cools()), (name, cools));
        assert_eq!(refusal.to_string(), name);
    }

    let periods = [
        (Period::Unknown, "unknown", false),
        (Period::Second, "second", false),
        (Period::Minute, "minute", false),
        (Period::Hour, "hour", false),
        (Period::Day, "day", true),
        (Period::Month, "month", true),
    ];
    for (period, name, is_long) in periods {
        assert_eq!((period.as_str(), period.is_long()), (name, is_long));
        assert_eq!(period.to_string(), name);
    }
    assert_eq!(Period::default(), Period::Unknown);

    let rules = [
        (Rule::Stated, "stated"),
        (Rule::NotZero, "not-zero"),
        (Rule::SameNumber, "same-number"),
        (Rule::KnownLie, "known-lie"),
        (Rule::RefusedAgain, "refused-again"),
        (Rule::Exhausted, "exhausted"),
        (Rule::Unspecific, "unspecific"),
        (Rule::LastResort, "last-resort"),
    ];
    for (rule, name) in rules {
        assert_eq!(rule.as_str(), name);
        assert_eq!(rule.to_string(), name);
    }
}

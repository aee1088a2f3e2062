//! Reads one body with several statuses, and as an event.

#![no_main]

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use spillover_hint::{Quotas, Refusal, Report};

fuzz_target!(|body: &[u8]| {
    for status in [400, 403, 429, 500, 503] {
        let status = StatusCode::from_u16(status).expect("a status");
        let report = Report::from_head(status, &HeaderMap::new()).expect("a refusal");
        let report = report.with_body(body);
        check(&report);
        let refusal = report.refusal();
        match status.as_u16() {
            429 => assert!(!matches!(refusal, Refusal::Client | Refusal::Failing)),
            503 => assert!(matches!(refusal, Refusal::Capacity | Refusal::Quota)),
            _ => {}
        }
    }
    let _ = Quotas::from_event(body);
    for name in ["", "error", "throttlingException"] {
        if let Some(report) = Report::from_event(name, body) {
            check(&report);
        }
    }
});

fn check(report: &Report) {
    assert!(!report.needs_body());
    assert!(report.hints().iter().count() <= 16);
    let hint = report.hint(SystemTime::UNIX_EPOCH);
    assert!(hint.is_none() || report.refusal().cools() || report.refusal() == Refusal::Credential);
    if let Some(cause) = report.cause() {
        assert!((1..=300).contains(&cause.chars().count()));
        assert!(!cause.chars().any(char::is_control));
        assert_eq!(cause, cause.trim());
    }
}

//! Reads a status and lines of `name:value`.

#![no_main]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use spillover_hint::{Hints, Quotas, Report};

fuzz_target!(|data: &[u8]| {
    let [high, low, lines @ ..] = data else {
        return;
    };
    let status = u16::from_be_bytes([*high, *low]) % 900 + 100;
    let status = StatusCode::from_u16(status).expect("a status");
    let headers = headers(lines);
    let backwards = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect::<HeaderMap>();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_420);

    let hints = Hints::from_headers(&headers);
    let hint = hints.choose(now);
    assert_eq!(hint.is_none(), hints.is_empty());
    assert!(hints.iter().count() <= 16);
    assert_eq!(hint, Hints::from_headers(&backwards).choose(now));
    let again = hints.choose_again(now);
    assert!(again.map(|hint| hint.wait()) >= hint.map(|hint| hint.wait()));

    let quotas = Quotas::from_headers(&headers);
    assert!(quotas.iter().count() <= 16);
    assert!(
        quotas
            .utilization()
            .is_none_or(|percent| percent.is_finite() && percent >= 0.0)
    );

    let report = Report::from_head(status, &headers);
    if let Some(report) = &report {
        let other = Report::from_head(status, &backwards).expect("a refusal");
        assert_eq!(report.refusal(), other.refusal());
        assert_eq!(report.hint(now), other.hint(now));
        assert_eq!(
            (report.dimension(), report.period()),
            (other.dimension(), other.period())
        );
        assert_eq!(report.needs_body(), other.needs_body());
        assert!(
            report
                .cause()
                .is_none_or(|cause| cause.chars().count() <= 300)
        );
    }
});

fn headers(lines: &[u8]) -> HeaderMap {
    let lines = lines.split(|byte| *byte == b'\n').take(64);
    lines
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            Some((
                name,
                HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?,
            ))
        })
        .collect()
}

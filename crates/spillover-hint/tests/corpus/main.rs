//! Responses as upstreams send them, and the expected reports. Each file has one subject.

mod anthropic;
mod azure;
mod bedrock;
mod bodies;
mod choice;
mod events;
mod google;
mod grpc;
mod http_date;
mod ietf;
mod openai;
mod others;
mod quotas;
mod reset;
mod retry_after;
mod retry_after_ms;
mod rules;
mod status;
mod timestamp;
mod windows;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use spillover_hint::{Dimension, Hints, Report};

/// The time at which the corpus's responses arrive: `Wed, 21 Oct 2015 07:27:00 GMT`.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_420)
}

const MAX: Duration = Duration::MAX;

/// Parses header lines, `name: value`, one per line of text.
fn headers(lines: &str) -> HeaderMap {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| line.split_once(':').expect("a name and a value"))
        .map(|(name, value)| (name.parse().expect("a name"), line_value(value.as_bytes())))
        .collect()
}

fn line_value(value: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(value.strip_prefix(b" ").unwrap_or(value)).expect("a value")
}

/// Returns the chosen wait when one field has this exact value.
fn wait_from(name: &'static str, value: &[u8]) -> Option<Duration> {
    let value = HeaderValue::from_bytes(value).expect("a value");
    let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value)]);
    Hints::from_headers(&headers)
        .choose(now())
        .map(|h| h.wait())
}

/// Checks the wait for each value of one field.
fn check_values(name: &'static str, table: &[(&str, Option<Duration>)]) {
    for (value, expected) in table {
        let wait = wait_from(name, value.as_bytes());
        assert_eq!(wait, *expected, "{name}: {value:?}");
    }
}

/// The expected wait, its source and its dimension.
type Chosen = (Duration, &'static str, Dimension);

/// Checks the chosen wait for header lines of whole responses.
fn check_choices(table: &[(&str, Option<Chosen>)]) {
    for (lines, expected) in table {
        let hint = Hints::from_headers(&headers(lines)).choose(now());
        let chosen = hint.map(|h| (h.wait(), h.source().as_str(), h.dimension()));
        assert_eq!(chosen, *expected, "{lines}");
    }
}

const fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

const fn millis(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

const fn nanos(nanos: u64) -> Option<Duration> {
    Some(Duration::from_nanos(nanos))
}

/// Checks the summary of whole responses: status, header lines, body, expected summary.
fn check_responses(table: &[(u16, &str, &str, &str)]) {
    for (status, lines, body, expected) in table {
        let status = StatusCode::from_u16(*status).expect("a status");
        let report = Report::from_head(status, &headers(lines)).expect("a refusal");
        let report = match body.is_empty() {
            true => report,
            false => report.with_body(body.as_bytes()),
        };
        assert_eq!(summary(&report), *expected, "{status}\n{lines}\n{body}");
    }
}

/// Returns the kind, then the wait, its source and rule, then the exhausted dimension and period.
fn summary(report: &Report) -> String {
    let hint = report.hint(now()).map_or("-".to_owned(), |hint| {
        format!("{:?} by {} ({})", hint.wait(), hint.source(), hint.rule())
    });
    let body = if report.needs_body() { ", body?" } else { "" };
    format!(
        "{}: {hint}, {}/{}{body}",
        report.refusal(),
        report.dimension(),
        report.period()
    )
}

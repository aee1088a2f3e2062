//! Reads the standard details of Google's errors in JSON: `RetryInfo`, `QuotaFailure`, `ErrorInfo`.
//!
//! Format: <https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto>, in the [JSON
//! form](https://protobuf.dev/programming-guides/json/) of protocol buffers.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    Candidate, Dimension, Hints, Period, Refusal, Source, When,
    evidence::Evidence,
    value::duration::{self, Unit},
};

/// Reads the details of one error object. Servers send a list; a single object is accepted too.
pub(crate) fn read(error: &Map<String, Value>, found: &mut Evidence, hints: &mut Hints) {
    let details = match error.get("details") {
        Some(Value::Array(details)) => details.as_slice(),
        Some(detail) => std::slice::from_ref(detail),
        None => return,
    };
    let details = || {
        details
            .iter()
            .take(MAX_DETAILS)
            .filter_map(Value::as_object)
    };
    for detail in details() {
        read_violations(detail, found);
        if let Some(Value::String(reason)) = detail.get("reason") {
            found.push_word(reason.as_bytes());
        }
    }
    for detail in details() {
        if let Some(wait) = detail.get("retryDelay").and_then(delay) {
            push_retry_info(wait, found, hints);
        }
    }
}

/// Adds the wait of a `RetryInfo`. Call it last: a limit per day makes the wait misleading.
pub(crate) fn push_retry_info(wait: Duration, found: &Evidence, hints: &mut Hints) {
    if found.is_wait_misleading {
        return;
    }
    hints.slots.push(Candidate {
        dimension: found.dimension,
        period: found.period,
        ..Candidate::stated(Source::RetryInfo, When::After(wait))
    });
}

/// Adds the dimension and period that a quota's name holds, e.g. `GenerateRequestsPerDayPerProjectPerModel-FreeTier`.
pub(crate) fn push_quota_id(id: &str, found: &mut Evidence) {
    let has = |what| id.contains(what);
    let dimension = match () {
        () if has("InputToken") => Dimension::InputTokens,
        () if has("OutputToken") => Dimension::OutputTokens,
        () if has("Token") => Dimension::Tokens,
        () if has("Request") => Dimension::Requests,
        () => Dimension::Unspecified,
    };
    let period = match () {
        () if has("PerDay") => Period::Day,
        () if has("PerMonth") => Period::Month,
        () if has("PerHour") => Period::Hour,
        () if has("PerMinute") => Period::Minute,
        () if has("PerSecond") => Period::Second,
        () => Period::Unknown,
    };
    found.push_limit(dimension, period);
    // A quota per day is renewed at midnight, but the delay beside it is that of a limit per minute.
    if period.is_long() {
        found.is_wait_misleading = true;
        found.push_refusal(Refusal::Quota);
    }
}

fn read_violations(detail: &Map<String, Value>, found: &mut Evidence) {
    let Some(Value::Array(violations)) = detail.get("violations") else {
        return;
    };
    for violation in violations.iter().take(MAX_DETAILS) {
        if let Some(Value::String(id)) = violation.get("quotaId") {
            push_quota_id(id, found);
        }
        // The quota is zero: waiting does not help.
        if violation.get("quotaValue").and_then(Value::as_str) == Some("0") {
            found.push_refusal(Refusal::Quota);
            found.is_wait_misleading = true;
        }
    }
}

/// Reads a delay: `"34.07s"`, or as other encoders write it: `"22"`, `22`, `"22.s"`, `{"seconds": 22, "nanos": 0}`.
fn delay(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => duration::parse(text.as_bytes(), Unit::SECOND),
        Value::Number(number) => duration::parse(number.to_string().as_bytes(), Unit::SECOND),
        Value::Object(parts) => {
            let seconds = parts.get("seconds").and_then(delay);
            let nanos = parts.get("nanos").map_or(Some(0), Value::as_u64)?;
            let nanos = Duration::from_nanos(nanos.min(999_999_999));
            Some(seconds.unwrap_or_default().saturating_add(nanos))
        }
        _ => None,
    }
}

const MAX_DETAILS: usize = 32;

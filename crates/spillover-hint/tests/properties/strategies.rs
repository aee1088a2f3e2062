//! Strategies for header lines and bodies, from plausible to arbitrary.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::{collection::vec, prelude::*, sample::select};

pub(crate) fn line((name, value): (&'static str, HeaderValue)) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), value)
}

pub(crate) fn headers() -> impl Strategy<Value = HeaderMap> {
    vec((select(&FIELDS[..]), values()).prop_map(line), 0..24).prop_map(HeaderMap::from_iter)
}

/// Values from plausible to arbitrary.
pub(crate) fn values() -> impl Strategy<Value = HeaderValue> {
    let date = times().prop_map(httpdate::fmt_http_date);
    let bytes = prop_oneof![
        4 => "[-+]?[0-9]{0,20}(\\.[0-9]{0,12})?([eE][-+]?[0-9]{1,12})?",
        4 => "([0-9]{1,6}(\\.[0-9]{0,4})? ?(ns|us|\u{b5}s|ms|s|m|h|minutes|x)?){1,4}",
        2 => date,
        2 => "(Mon|wed|Sunday)?,? ?[0-9]{1,3}[ -](Jan|feb|x)[ -][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-6][0-9]( GMT| utc|[ +-]{1,2}[0-9:]{3,5})?",
        2 => "[0-9]{1,3}(, ?[0-9]{1,3}){0,3}",
        1 => select(&["tokens", "Requests", "-1", "0", "1", "NaN", "inf", ""][..]).prop_map(str::to_owned),
        1 => "[ -~\u{a0}-\u{ff}]{0,80}",
    ];
    let arbitrary = vec(any::<u8>(), 0..40).prop_map(|bytes| {
        let is_allowed = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
        bytes.into_iter().filter(is_allowed).collect::<Vec<_>>()
    });
    prop_oneof![9 => bytes.prop_map(String::into_bytes), 1 => arbitrary]
        .prop_map(|bytes| HeaderValue::from_bytes(&bytes).expect("a value"))
}

/// Times from 1970 to 9999, the last year that `httpdate` can print.
pub(crate) fn times() -> impl Strategy<Value = SystemTime> {
    prop_oneof![0..253_402_300_800_u64, 1_700_000_000..1_700_200_000_u64]
        .prop_map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

pub(crate) fn statuses() -> impl Strategy<Value = StatusCode> {
    let status = select(&[200, 400, 401, 403, 404, 413, 429, 500, 503, 529][..]);
    status.prop_map(|status| StatusCode::from_u16(status).expect("a status"))
}

/// Bodies from plausible to arbitrary, some of them cut off.
pub(crate) fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let word = select(
        &[
            "rate_limit_exceeded",
            "insufficient_quota",
            "RESOURCE_EXHAUSTED",
            "429",
            "tokens",
            "x",
        ][..],
    );
    let sentence = "(Please |Request too large|per day|)(try again in|retry after) (\\PC{0,20}|[0-9.]{1,9}(ms|s|m| min|))";
    let json = (word, sentence, "\\PC{0,30}").prop_map(|(word, sentence, text)| {
        format!(
            r#"{{"error":{{"code":"{word}","message":"{sentence}","details":[{{"retryDelay":"{text}"}},{{"violations":[{{"quotaId":"{text}"}}]}}]}}}}"#
        )
    });
    let text = prop_oneof![4 => json, 1 => sentence, 1 => "\\PC{0,200}"];
    let text = (text, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(text, end, cut)| {
        let mut body = text.into_bytes();
        if cut {
            body.truncate(end.index(body.len() + 1));
        }
        body
    });
    prop_oneof![4 => text, 1 => vec(any::<u8>(), 0..200)]
}

/// Fields that may be repeated: all of their lines are read.
pub(crate) const REPEATABLE: [&str; 7] = [
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-rate-limit-reset-requests",
    "x-rate-limit-reset-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
];

pub(crate) const FIELDS: [&str; 49] = [
    "anthropic-priority-input-tokens-remaining",
    "anthropic-priority-input-tokens-reset",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "azure-openai-deployment-utilization",
    "date",
    "grpc-message",
    "grpc-retry-pushback-ms",
    "grpc-status",
    "grpc-status-details-bin",
    "llm_provider-retry-after",
    "llm_provider-x-ratelimit-remaining-tokens",
    "policy-id",
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "ratelimitbysize-remaining",
    "ratelimitbysize-reset",
    "retry-after",
    "retry-after-ms",
    "x-amz-retry-after",
    "x-amzn-errortype",
    "x-envoy-overloaded",
    "x-envoy-ratelimited",
    "x-ms-retry-after-ms",
    "x-ms-throttle-reason",
    "x-rate-limit-remaining-requests",
    "x-rate-limit-remaining-tokens",
    "x-rate-limit-reset-requests",
    "x-rate-limit-reset-tokens",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-requests-day",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-renewalperiod-requests",
    "x-ratelimit-renewalperiod-tokens",
    "x-ratelimit-reset",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-requests-day",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-retry-after",
    "x-ratelimit-type",
    "x-should-retry",
];

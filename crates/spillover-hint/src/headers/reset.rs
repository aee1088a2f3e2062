//! `x-ratelimit-reset-*` of OpenAI, Azure OpenAI, Groq and those who copy them: when the limit of one dimension is renewed.
//!
//! OpenAI and Groq send durations (`6m0s`), Azure bare seconds (`300`).

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    Candidate, Dimension, Source, When,
    slots::Slots,
    value::{
        decimal::Decimal,
        duration::{self, Unit},
    },
};

pub(super) fn collect(headers: &HeaderMap, slots: &mut Slots) {
    for limit in &LIMITS {
        for (source, name) in &limit.reset {
            for value in headers.get_all(name) {
                let Some(wait) = duration::parse(value.as_bytes(), Unit::SECOND) else {
                    continue;
                };
                let exhausted = match limit.quota(headers) {
                    Quota::Exhausted => true,
                    // Azure sends a reset of 0 beside a remaining of -1: neither is known.
                    // https://github.com/openai/openai-dotnet/issues/838
                    Quota::Unknown if !wait.is_zero() => false,
                    Quota::Unknown | Quota::Left => continue,
                };
                slots.push(Candidate::reset(
                    *source,
                    limit.dimension,
                    When::After(wait),
                    exhausted,
                ));
            }
        }
    }
}

/// Whether the response tells how long the period of a limit is, as Azure OpenAI and GitHub Models do.
pub(crate) fn names_renewal_period(headers: &HeaderMap) -> bool {
    LIMITS
        .iter()
        .any(|limit| headers.contains_key(&limit.renewal_period))
}

/// The fields that speak of one dimension.
struct Limit {
    dimension: Dimension,
    reset: [(Source, HeaderName); 2],
    remaining: [HeaderName; 2],
    renewal_period: HeaderName,
}

impl Limit {
    fn quota(&self, headers: &HeaderMap) -> Quota {
        let remaining = self.remaining.iter().find_map(|name| headers.get(name));
        match remaining.and_then(|value| Decimal::parse(value.as_bytes())) {
            Some(count) if count.is_zero() => Quota::Exhausted,
            // Even if `x-ratelimit-type` names this dimension: it was the size of the request that did not fit.
            Some(_) => Quota::Left,
            None => match headers.get(&TYPE).and_then(named) {
                None => Quota::Unknown,
                Some(dimension) if dimension == self.dimension => Quota::Exhausted,
                Some(_) => Quota::Left,
            },
        }
    }
}

/// What a response tells about how much of a dimension is left.
enum Quota {
    Exhausted,
    Left,
    Unknown,
}

/// The dimension that `x-ratelimit-type` names. GitHub Models sends other values in it, such as `UserByMinute`.
fn named(value: &HeaderValue) -> Option<Dimension> {
    let value = value.as_bytes().trim_ascii();
    if value.eq_ignore_ascii_case(b"tokens") {
        Some(Dimension::Tokens)
    } else if value.eq_ignore_ascii_case(b"requests") {
        Some(Dimension::Requests)
    } else {
        None
    }
}

static TYPE: HeaderName = HeaderName::from_static("x-ratelimit-type");

static LIMITS: [Limit; 2] = [
    Limit {
        dimension: Dimension::Requests,
        reset: [
            (
                Source::Reset,
                HeaderName::from_static("x-ratelimit-reset-requests"),
            ),
            (
                Source::HyphenatedReset,
                HeaderName::from_static("x-rate-limit-reset-requests"),
            ),
        ],
        remaining: [
            HeaderName::from_static("x-ratelimit-remaining-requests"),
            HeaderName::from_static("x-rate-limit-remaining-requests"),
        ],
        renewal_period: HeaderName::from_static("x-ratelimit-renewalperiod-requests"),
    },
    Limit {
        dimension: Dimension::Tokens,
        reset: [
            (
                Source::Reset,
                HeaderName::from_static("x-ratelimit-reset-tokens"),
            ),
            (
                Source::HyphenatedReset,
                HeaderName::from_static("x-rate-limit-reset-tokens"),
            ),
        ],
        remaining: [
            HeaderName::from_static("x-ratelimit-remaining-tokens"),
            HeaderName::from_static("x-rate-limit-remaining-tokens"),
        ],
        renewal_period: HeaderName::from_static("x-ratelimit-renewalperiod-tokens"),
    },
];

//! Maps the names of header fields to their meaning.

use crate::{Dimension, Period, Source};

/// The meaning of a known field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// A wait in milliseconds.
    Millis(Source),
    /// A wait in seconds, or a date.
    Seconds(Source),
    /// A value of one limit.
    Limit(Key, Part),
    /// `ratelimit` and `ratelimit-policy` of the newer IETF drafts.
    Ietf(Ietf),
    /// `x-ratelimit-renewalperiod-*`.
    RenewalPeriod(Dimension),
    /// `x-ratelimit-type`: the dimension that ran out.
    LimitType,
    /// `policy-id`: the same in Azure's words, e.g. `DeploymentRatelimit-Token`.
    PolicyId,
    Date,
    Utilization,
    ShouldRetry,
    ErrorType,
    ThrottleReason,
    EnvoyRateLimited,
    EnvoyOverloaded,
    Grpc(Grpc),
}

/// The identity of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) source: Source,
    pub(crate) dimension: Dimension,
    pub(crate) period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Limit,
    Remaining,
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ietf {
    State,
    Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grpc {
    Status,
    Message,
    Details,
    Pushback,
}

impl Field {
    /// Returns the meaning of a lower-case name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.as_bytes();
        match name.first()? {
            b'x' => extension(name.strip_prefix(b"x-")?),
            b'r' => {
                let plain = name.strip_prefix(b"r")?;
                match plain {
                    b"etry-after" => Some(Self::Seconds(Source::RetryAfter)),
                    b"etry-after-ms" => Some(Self::Millis(Source::RetryAfterMs)),
                    _ => rate_limit(plain.strip_prefix(b"atelimit")?),
                }
            }
            b'a' => match name.strip_prefix(b"anthropic-") {
                Some(rest) => anthropic(rest),
                None => {
                    (name == b"azure-openai-deployment-utilization").then_some(Self::Utilization)
                }
            },
            b'd' => (name == b"date").then_some(Self::Date),
            b'g' => grpc(name.strip_prefix(b"grpc-")?),
            // LiteLLM passes on its upstream's fields with this prefix. Their date is ignored: LiteLLM's own is
            // fresher.
            b'l' => {
                let name = name.strip_prefix(b"llm_provider-")?;
                let name = std::str::from_utf8(name).ok()?;
                (!name.starts_with("llm_provider-"))
                    .then(|| Self::named(name))?
                    .filter(|field| *field != Self::Date)
            }
            b'p' => (name == b"policy-id").then_some(Self::PolicyId),
            _ => None,
        }
    }
}

/// Reads the name after `x-`.
fn extension(name: &[u8]) -> Option<Field> {
    match name.first()? {
        b'r' => match name {
            b"retry-after" => Some(Field::Seconds(Source::XRetryAfter)),
            _ => match name.strip_prefix(b"ratelimit") {
                Some(rest) => x_rate_limit(rest),
                None => unit_limit(Source::HyphenatedReset, name.strip_prefix(b"rate-limit-")?),
            },
        },
        b'm' => match name {
            b"ms-retry-after-ms" => Some(Field::Millis(Source::MsRetryAfterMs)),
            b"ms-throttle-reason" => Some(Field::ThrottleReason),
            _ => None,
        },
        b'a' => match name {
            b"amz-retry-after" => Some(Field::Millis(Source::AmzRetryAfter)),
            b"amzn-errortype" => Some(Field::ErrorType),
            _ => None,
        },
        b's' => (name == b"should-retry").then_some(Field::ShouldRetry),
        b'e' => match name {
            b"envoy-ratelimited" => Some(Field::EnvoyRateLimited),
            b"envoy-overloaded" => Some(Field::EnvoyOverloaded),
            b"endpoint-monthly-call-limit" => Some(calls(Period::Month, Part::Limit)),
            _ => None,
        },
        b't' => match name {
            b"trial-endpoint-call-limit" => Some(calls(Period::Minute, Part::Limit)),
            b"trial-endpoint-call-remaining" => Some(calls(Period::Minute, Part::Remaining)),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the field for one of Cohere's limits of trial keys.
fn calls(period: Period, part: Part) -> Field {
    limit(Source::Reset, Dimension::Requests, period, part)
}

/// Reads the name after `x-ratelimit`.
fn x_rate_limit(name: &[u8]) -> Option<Field> {
    match name {
        b"-type" => Some(Field::LimitType),
        b"-retry-after" => Some(Field::Seconds(Source::RateLimitRetryAfter)),
        _ => match name.strip_prefix(b"-") {
            Some(name) => unit_limit(Source::Reset, name),
            None => unit_limit(Source::BySizeReset, name.strip_prefix(b"bysize-")?),
        },
    }
}

/// Reads the name after `ratelimit`.
fn rate_limit(name: &[u8]) -> Option<Field> {
    match name {
        b"" => Some(Field::Ietf(Ietf::State)),
        b"-policy" => Some(Field::Ietf(Ietf::Policy)),
        _ => match name.strip_prefix(b"-") {
            Some(name) => unit_limit(Source::RateLimitReset, name),
            None => unit_limit(Source::BySizeReset, name.strip_prefix(b"bysize-")?),
        },
    }
}

/// Reads `remaining`, an optional dimension and an optional period, e.g. `remaining-tokens-minute`.
fn unit_limit(source: Source, name: &[u8]) -> Option<Field> {
    let (part, unit) = if let Some(unit) = name.strip_prefix(b"remaining") {
        (Part::Remaining, unit)
    } else if let Some(unit) = name.strip_prefix(b"reset") {
        (Part::Reset, unit)
    } else if let Some(unit) = name.strip_prefix(b"limit") {
        (Part::Limit, unit)
    } else {
        let unit = name.strip_prefix(b"renewalperiod-")?;
        return Some(Field::RenewalPeriod(Dimension::named(unit)?));
    };
    let default = match source {
        Source::BySizeReset => Dimension::Tokens,
        _ => Dimension::Unspecified,
    };
    let unit = match unit {
        // The fast path for the most frequent names.
        b"-tokens" => return Some(limit(source, Dimension::Tokens, Period::Unknown, part)),
        b"-requests" => return Some(limit(source, Dimension::Requests, Period::Unknown, part)),
        [] => return Some(limit(source, default, Period::Unknown, part)),
        [b'-', unit @ ..] => unit,
        _ => return None,
    };
    let (dimension, period) = match unit.iter().rposition(|byte| *byte == b'-') {
        None => match Period::named(unit) {
            Some(period) => (default, period),
            None => (Dimension::named(unit)?, Period::Unknown),
        },
        Some(at) => match Period::named(&unit[at + 1..]) {
            Some(period) => (Dimension::named(&unit[..at])?, period),
            None => (Dimension::named(unit)?, Period::Unknown),
        },
    };
    Some(limit(source, dimension, period, part))
}

/// Reads the name after `anthropic-`.
fn anthropic(name: &[u8]) -> Option<Field> {
    let (name, part) = match name {
        [name @ .., b'-', b'r', b'e', b's', b'e', b't'] => (name, Part::Reset),
        [name @ .., b'-', b'l', b'i', b'm', b'i', b't'] => (name, Part::Limit),
        _ => (name.strip_suffix(b"-remaining")?, Part::Remaining),
    };
    let (source, dimension) = match name.strip_prefix(b"ratelimit-") {
        Some(name) => (Source::AnthropicReset, Dimension::named(name)?),
        None => {
            let dimension = match name {
                b"priority-input-tokens" => Dimension::PriorityInputTokens,
                b"priority-output-tokens" => Dimension::PriorityOutputTokens,
                _ => return None,
            };
            (Source::AnthropicPriorityReset, dimension)
        }
    };
    Some(limit(source, dimension, Period::Unknown, part))
}

fn grpc(name: &[u8]) -> Option<Field> {
    Some(Field::Grpc(match name {
        b"status" => Grpc::Status,
        b"message" => Grpc::Message,
        b"status-details-bin" => Grpc::Details,
        b"retry-pushback-ms" => Grpc::Pushback,
        _ => return None,
    }))
}

fn limit(source: Source, dimension: Dimension, period: Period, part: Part) -> Field {
    let key = Key {
        source,
        dimension,
        period,
    };
    Field::Limit(key, part)
}

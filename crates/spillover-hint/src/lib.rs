//! Reads the kind of a refusal and the time to wait from an HTTP response.
//!
//! An upstream that refuses a request because of a rate limit usually says when it will accept the next one, in one or
//! several of two dozen ways that do not always agree. This crate reads them all and chooses the one to believe. The
//! crate is pure parsing: it has no clock and no async, never fails, and does not allocate for the head of a response.
//!
//! * [`Report`] reads a refusal: its kind ([`Refusal`]), the wait ([`Hint`]), the exhausted limit ([`Dimension`],
//!   [`Period`]) and the upstream's own message. It starts from the head, and tells if the body is worth reading.
//! * [`Hints`] collects the waits alone: every [`Candidate`] with its [`Source`], and the choice among them.
//! * [`Quotas`] reads the remaining quota from any response, above all a successful one.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use http::{HeaderMap, HeaderValue, StatusCode};
//! use spillover_hint::{Dimension, Refusal, Report, Rule, Source};
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("x-ratelimit-remaining-requests", HeaderValue::from_static("499"));
//! headers.insert("x-ratelimit-reset-requests", HeaderValue::from_static("120ms"));
//! headers.insert("x-ratelimit-remaining-tokens", HeaderValue::from_static("0"));
//! headers.insert("x-ratelimit-reset-tokens", HeaderValue::from_static("30.5s"));
//!
//! let now = SystemTime::UNIX_EPOCH; // whatever the caller's clock says; only dates need it
//! let read = |headers: &HeaderMap| Report::from_head(StatusCode::TOO_MANY_REQUESTS, headers);
//!
//! // There are requests left, so only the tokens say when to come back. Nothing is left to ask the body for.
//! let report = read(&headers).expect("a refusal");
//! assert_eq!(report.refusal(), Refusal::Throttled);
//! assert_eq!(report.dimension(), Dimension::Tokens);
//! assert!(!report.needs_body());
//! let hint = report.hint(now).expect("a hint");
//! assert_eq!(hint.wait(), Duration::from_millis(30_500));
//! assert_eq!((hint.source(), hint.rule()), (Source::Reset, Rule::Exhausted));
//!
//! // What the server states outright is believed before what follows from its counters.
//! headers.insert("retry-after", HeaderValue::from_static("2"));
//! let hint = read(&headers).and_then(|report| report.hint(now)).expect("a hint");
//! assert_eq!(hint.wait(), Duration::from_secs(2));
//! assert_eq!(hint.source().as_str(), "retry-after");
//!
//! // The kind of a refusal comes before its wait.
//! let report = read(&headers).expect("a refusal");
//! let report = report.with_body(br#"{"error": {"code": "insufficient_quota", "message": "No credit left."}}"#);
//! assert_eq!(report.refusal(), Refusal::Quota);
//! assert_eq!(report.cause(), Some("No credit left."));
//! ```
//!
//! # Kinds of refusals
//!
//! | kind | status | other signals |
//! |---|---|---|
//! | [`Throttled`](Refusal::Throttled) | 429; gRPC 8 | 403 with a wait or a counter of zero; `ThrottlingException` |
//! | [`Capacity`](Refusal::Capacity) | 498, 503, 529; gRPC 14 | `x-ms-throttle-reason`, `x-envoy-overloaded`, `overloaded_error`, `slow_down`, "high demand" |
//! | [`TooLarge`](Refusal::TooLarge) | 413 | `context_length_exceeded`, "Request too large" |
//! | [`Quota`](Refusal::Quota) | 402 | a limit per day or month; `insufficient_quota`, `billing_error`, `ServiceQuotaExceededException` |
//! | [`Credential`](Refusal::Credential) | 401, 403, 407; gRPC 7, 16 | `API_KEY_INVALID` |
//! | [`Failing`](Refusal::Failing) | other 5xx, 408, 424, 499; other gRPC codes | `api_error`, `ModelErrorException` |
//! | [`Client`](Refusal::Client) | other 4xx; gRPC 3, 5, 6, 9 to 12 | |
//!
//! # Fields
//!
//! | field | sent by | number without a unit | also accepted |
//! |---|---|---|---|
//! | `retry-after-ms`, `x-ms-retry-after-ms`, `x-amz-retry-after` | OpenAI, Azure, AWS | milliseconds | a duration with units |
//! | `grpc-retry-pushback-ms` | gRPC | milliseconds, 32 bits | nothing else |
//! | `retry-after`, `x-retry-after`, `x-ratelimit-retry-after` | all vendors | seconds, or an epoch | a duration with units, a date |
//! | `x-ratelimit-{limit,remaining,reset}`, and the same with `-requests`, `-tokens`, `-input-images`, `-project-tokens`, .., and with `-minute`, `-day`, .. | OpenAI, Azure, Groq, Cerebras, Mistral, GitHub, OpenRouter | seconds, or an epoch | a duration with units, a timestamp, a date |
//! | `x-rate-limit-*` | Azure | the same | the same |
//! | `anthropic-ratelimit-*`, `anthropic-priority-*` | Anthropic | the same | a timestamp |
//! | `ratelimitbysize-*`, `x-ratelimitbysize-*` | Mistral | the same | the same |
//! | `ratelimit-{limit,remaining,reset}`, `ratelimit`, `ratelimit-policy` | IETF drafts | seconds, or an epoch | structured fields |
//! | `llm_provider-` and any of these | LiteLLM | as without it | as without it |
//!
//! `x-ratelimit-type` and `policy-id` name the exhausted limit, `x-ratelimit-renewalperiod-*` its period.
//! `x-amzn-errortype` and `x-ms-throttle-reason` name the kind of the refusal. `date` is the server's clock.
//! [`Report::with_body`] reads the types and codes of errors, Google's `RetryInfo`, `QuotaFailure` and `ErrorInfo`, the
//! header fields that OpenRouter puts into its body, and, least trusted, sentences such as "Please try again in 20s."
//!
//! # Values
//!
//! * **Numbers** are decimal, with an optional fraction and exponent: `30`, `7.66`, `.5`, `5.`, `+5`, `1e3`. A number too
//!   large for a [`Duration`](std::time::Duration), however it is written, becomes [`Duration::MAX`], as
//!   [RFC 9111, section 1.2.2] asks for: `99999999999999999999`, `1e400`, or 64 KiB of digits.
//! * **Epochs** are recognized by their size: from 10^9 seconds or 10^11 milliseconds since 1970. A reset below 30 days
//!   is a duration, and numbers in between are absent.
//! * **Durations with units** are those of Go's [`time.ParseDuration`], such as `6m0s`, `577.5ms`, `1.5µs`, and the
//!   same with spaces or words: `120 s`, `2 minutes`. If one number has no unit (`1m30`), the value is absent.
//! * **Dates** are the three forms of [RFC 9110, section 5.6.7], in any case, with any weekday, and with `UTC` or an
//!   offset such as `+0100` instead of `GMT`. **Timestamps** are those of [RFC 3339]. A time in the past is a wait of
//!   zero.
//! * **Several values**, on separate lines or joined by a comma and a space, count as the longest of them.
//! * **Anything else is absent**, as if the field were missing: a minus sign (`-1`, and `-0` too), `NaN`, `inf`,
//!   `null`, `1,000`, `30;foo`, the empty string. No value makes a function of this crate fail or panic.
//!
//! # Left to the caller
//!
//! * Floor and cap: zero is a valid wait, and no wait is too long here. Also a longer floor while refusals repeat.
//! * Jitter, and storing the time at which the backend opens again.
//! * Deciding if a refused credential was the caller's own or its client's.
//!
//! [`Duration::MAX`]: std::time::Duration::MAX
//! [RFC 3339]: https://www.rfc-editor.org/rfc/rfc3339
//! [RFC 9110, section 5.6.7]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
//! [RFC 9111, section 1.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2
//! [`time.ParseDuration`]: https://pkg.go.dev/time#ParseDuration

mod body;
mod candidate;
mod choose;
mod dimension;
mod evidence;
mod grpc;
mod headers;
mod hint;
mod hints;
mod period;
mod quota;
mod quotas;
mod refusal;
mod report;
mod rule;
mod slots;
mod source;
mod status;
mod value;
mod words;

pub use crate::{
    candidate::{Candidate, When},
    dimension::Dimension,
    hint::Hint,
    hints::Hints,
    period::Period,
    quota::Quota,
    quotas::Quotas,
    refusal::Refusal,
    report::Report,
    rule::Rule,
    source::Source,
};

/// Runs the README's example as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

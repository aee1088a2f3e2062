//! What the headers of a response say about when to come back.
//!
//! An upstream that refuses a request because of a rate limit usually says when it will take the next one, in one or
//! several of a dozen ways that do not always agree. This crate reads them all and chooses the one to believe. It is pure
//! parsing: it has no clock, no async and no opinion on the status of the response, and it does not allocate.
//!
//! 1. [`Hints::from_headers`] collects every [`Candidate`] with its [`Source`] and its [`Dimension`].
//! 2. [`Hints::choose`] picks the most trusted one and turns it into a wait, a [`Hint`].
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use http::{HeaderMap, HeaderValue};
//! use spillover_hint::{Dimension, Hints, Source};
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("x-ratelimit-remaining-requests", HeaderValue::from_static("499"));
//! headers.insert("x-ratelimit-reset-requests", HeaderValue::from_static("120ms"));
//! headers.insert("x-ratelimit-remaining-tokens", HeaderValue::from_static("0"));
//! headers.insert("x-ratelimit-reset-tokens", HeaderValue::from_static("1m30.5s"));
//!
//! let now = SystemTime::UNIX_EPOCH; // whatever the caller's clock says; only dates need it
//!
//! // There are requests left, so only the tokens say when to come back.
//! let hint = Hints::from_headers(&headers).choose(now).expect("a hint");
//! assert_eq!(hint.wait(), Duration::from_millis(90_500));
//! assert_eq!(hint.source(), Source::Reset);
//! assert_eq!(hint.dimension(), Dimension::Tokens);
//!
//! // What the server states outright is believed before what follows from its counters.
//! headers.insert("retry-after", HeaderValue::from_static("2"));
//! let hint = Hints::from_headers(&headers).choose(now).expect("a hint");
//! assert_eq!(hint.wait(), Duration::from_secs(2));
//! assert_eq!(hint.source().as_str(), "retry-after");
//! ```
//!
//! # What is read
//!
//! | field | number without a unit | also |
//! |---|---|---|
//! | `retry-after-ms`, `x-ms-retry-after-ms` | milliseconds | a duration with units |
//! | `retry-after` | seconds | a duration with units, a date |
//! | `x-ratelimit-reset-requests`, `-tokens`; the same with `x-rate-limit-` | seconds | a duration with units |
//!
//! `x-ratelimit-remaining-*` and `x-ratelimit-type` tell which dimension is exhausted, `x-ratelimit-renewalperiod-*` and
//! `date` help to judge the rest. Bodies, trailers and other vendors' fields are not read.
//!
//! # Values
//!
//! * **Numbers** are decimal, with an optional fraction and exponent: `30`, `7.66`, `.5`, `5.`, `+5`, `1e3`. A number too
//!   large for a [`Duration`](std::time::Duration), however it is written, becomes [`Duration::MAX`], as
//!   [RFC 9111, section 1.2.2] asks for: `99999999999999999999`, `1e400`, or 64 KiB of digits.
//! * **Durations with units** are what Go's [`time.ParseDuration`] reads, such as `6m0s`, `577.5ms`, `1.5µs`, and the same
//!   with spaces or with words: `120 s`, `2 minutes`. When one number has no unit (`1m30`) there is no value.
//! * **Dates** are the three forms of [RFC 9110, section 5.6.7], in any case, with any weekday, and with `UTC` or an offset
//!   like `+0100` for `GMT`. A date in the past is a wait of zero.
//! * **Several values**, as lines of their own or joined by a comma and a space, count as the longest of them.
//! * **Anything else is absent**, as if the field were not there: a minus sign (`-1`, and `-0` too), `NaN`, `inf`, `null`,
//!   `1,000`, `30;foo`, the empty string. No value makes a function of this crate fail or panic.
//!
//! # What is left to the caller
//!
//! * Whether the response is a refusal at all. `retry-after` has another meaning on a redirect, and a successful response
//!   may carry resets.
//! * A floor: zero is a valid wait. A cap: nothing is too long here.
//! * Adding jitter, and remembering until when the backend is closed.
//!
//! [`Duration::MAX`]: std::time::Duration::MAX
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

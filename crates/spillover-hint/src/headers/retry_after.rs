//! `retry-after`, `retry-after-ms` and `x-ms-retry-after-ms`: a wait stated for the request as a whole.

use http::{HeaderMap, HeaderName, header};

use crate::{
    Candidate, Source, When,
    slots::Slots,
    value::{
        date,
        duration::{self, Unit},
    },
};

pub(super) fn collect(headers: &HeaderMap, slots: &mut Slots) {
    for (source, name) in &MILLISECONDS {
        for value in headers.get_all(name) {
            if let Some(wait) = duration::parse(value.as_bytes(), Unit::MILLISECOND) {
                slots.push(Candidate::stated(*source, When::After(wait)));
            }
        }
    }
    for value in headers.get_all(header::RETRY_AFTER) {
        if let Some(when) = seconds_or_date(value.as_bytes()) {
            slots.push(Candidate::stated(Source::RetryAfter, when));
        }
    }
}

/// RFC 9110, section 10.2.3, allows whole seconds or a date. Groq sends fractions of seconds.
fn seconds_or_date(value: &[u8]) -> Option<When> {
    duration::parse(value, Unit::SECOND)
        .map(When::After)
        .or_else(|| date::parse(value).map(When::At))
}

static MILLISECONDS: [(Source, HeaderName); 2] = [
    (
        Source::RetryAfterMs,
        HeaderName::from_static(Source::RetryAfterMs.as_str()),
    ),
    (
        Source::MsRetryAfterMs,
        HeaderName::from_static(Source::MsRetryAfterMs.as_str()),
    ),
];

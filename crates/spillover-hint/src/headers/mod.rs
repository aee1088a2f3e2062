//! Which field is read how: one module for each family of fields.

mod reset;
mod retry_after;

use std::time::SystemTime;

use http::{HeaderMap, header};

use crate::{slots::Slots, value::date};

pub(crate) use self::reset::names_renewal_period;

/// Reads every field that may say when to come back.
pub(crate) fn collect(headers: &HeaderMap, slots: &mut Slots) {
    retry_after::collect(headers, slots);
    reset::collect(headers, slots);
}

/// When the response was made, by the clock of the server.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    date::parse(headers.get(header::DATE)?.as_bytes())
}

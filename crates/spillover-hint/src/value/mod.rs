//! Parsers of numbers, durations and dates. Each takes the bytes of a field and returns `None` for anything it does not
//! understand.

pub(crate) mod date;
pub(crate) mod decimal;
pub(crate) mod duration;
pub(crate) mod fold;
pub(crate) mod reset;
pub(crate) mod timestamp;

//! How values are written: numbers, durations, dates. Every parser takes the bytes of a field and returns `None` for
//! whatever it does not understand.

pub(crate) mod date;
pub(crate) mod decimal;
pub(crate) mod duration;
pub(crate) mod fold;
pub(crate) mod reset;
pub(crate) mod timestamp;

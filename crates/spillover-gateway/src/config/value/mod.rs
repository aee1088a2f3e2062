//! The scalar values of the configuration file. A refusal states the expected value, and never holds the refused one.

mod exhausted;
mod kind;
mod limit;
mod protocol;
mod size;
mod text;
mod time;

pub(super) use self::{
    exhausted::Exhausted, kind::KindWord, limit::Limit, size::Size, text::refused, time::Time,
};

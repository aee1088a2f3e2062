//! The atomics of the states that a model checker runs through, in one place so that it can bring its own.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

//! The atomics that a model checker replaces by its own.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

//! Tests of the whole stack of layers in front of tonic servers.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod proxy;
mod streaming;
mod unary;

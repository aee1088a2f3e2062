//! Tests of the whole stack of layers, in process and mostly on paused time.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod abuse;
mod axum;
mod bodies;
mod cancel;
mod connections;
mod exhausted;
mod failover;
mod hedge;
mod limits;
mod load;
mod ptu;
mod streams;

//! Real tonic servers behind real channels, with the whole stack of layers in between.
//!
//! The services are `grpc.health.v1.Health`, with a unary and a server-streaming method, and `test.Uploads`, with a
//! client-streaming and a bidirectional one. A [`Server`] names itself in the field `x-server` of its answers.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "it panics wherever the test is to fail"
)]

mod play;
mod server;
mod stack;
mod uploads;

pub use self::{
    play::Play,
    server::{Server, served_by},
    stack::{Channels, GrpcStack, pool, stack},
    uploads::{UPLOAD, converse, upload},
};

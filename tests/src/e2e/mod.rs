//! What the end-to-end tests share: the gateway as a process, clients of it, and backends on real sockets.
//!
//! Nothing here waits for a time that was guessed. What must come is waited for, and [`soon()`] bounds how long.

#![expect(
    clippy::missing_panics_doc,
    reason = "it panics wherever the test is to fail"
)]

mod client;
mod ending;
mod gateway;
pub mod reload;
mod serving;
mod soon;
mod table;
mod tls;
mod upstream;
mod websocket;
mod wire;

pub use self::{
    client::{Answer, Client, chunked, json, request, with},
    ending::{Arrived, EndingUpstream, Reaction},
    gateway::{Exit, Files, Gateway, GatewayBuilder, Program},
    serving::Serving,
    soon::{eventually, soon},
    table::{backend, pool},
    tls::{Authority, Identity, TlsUpstream},
    upstream::{RefusingPort, answer, behaving, healthy},
    websocket::{Echo, WebSocket, WebSocketUpstream},
    wire::{ASK, Wire, WireUpstream},
};

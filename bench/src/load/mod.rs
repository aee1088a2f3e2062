//! Generates the load on a proxy.

mod client;
mod closed;
mod count;
mod handshakes;
mod http2;
mod idle;
mod payload;
mod rate;
mod reload;
mod streams;
mod throttle;
mod wrk;

use std::{io, path::Path};

use bytes::Bytes;
use tokio::time::Duration;

use crate::{
    measure::{Process, Sample},
    peer::{Peer, Setup},
};

/// A kind of load.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// Each connection sends a request when the previous one was answered.
    Closed { connections: usize, body: usize },
    /// Each HTTP/2 stream sends a request when the previous one was answered. A connection has several streams.
    Http2 { connections: usize, streams: usize },
    /// Each request opens a new TLS connection.
    Handshakes { at_once: usize },
    /// Requests come at a fixed rate, independent of the answers.
    Rate { per_second: u32 },
    /// Requests come at a fixed rate while the proxy is reconfigured every second.
    Reload { per_second: u32 },
    /// Streams of server-sent events.
    Streams { at_once: usize },
    /// Connections that have been used once.
    Idle { connections: usize },
    /// The first backend throttles for three seconds.
    Throttle { connections: usize },
}

/// The duration of warm-up and measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// The proxy and backend under load.
pub(crate) struct Target<'a> {
    pub(crate) process: &'a Process,
    pub(crate) peer: Peer,
    pub(crate) setup: &'a Setup,
    pub(crate) path: &'static str,
    /// The backend that has to be used first.
    pub(crate) first_backend: u16,
    pub(crate) temp: &'a Path,
}

impl Load {
    /// Puts a proxy under this load and measures it.
    pub(crate) async fn run(self, target: &Target<'_>, times: Times) -> io::Result<Sample> {
        match self {
            Self::Closed { connections, body } => {
                closed::run(target, times, connections, body).await
            }
            Self::Http2 {
                connections,
                streams,
            } => http2::run(target, times, connections, streams).await,
            Self::Handshakes { at_once } => handshakes::run(target, times, at_once).await,
            Self::Rate { per_second } => rate::run(target, times, per_second).await,
            Self::Reload { per_second } => reload::run(target, times, per_second).await,
            Self::Streams { at_once } => streams::run(target, times, at_once).await,
            Self::Idle { connections } => idle::run(target, connections).await,
            Self::Throttle { connections } => throttle::run(target, connections).await,
        }
    }
}

/// Returns a request body like those of an SDK.
fn request_body() -> Bytes {
    payload::chat(KIB)
}

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

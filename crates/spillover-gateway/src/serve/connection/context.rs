use std::fmt;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Duration;
use tokio_util::task::TaskTracker;

use super::crowd::Crowd;
use crate::serve::Connections;

/// What the connections of a thread share.
pub(in crate::serve) struct Context<S> {
    /// Each connection has its own clone, while it has something to do.
    pub(super) stack: S,
    pub(super) connections: Connections,
    pub(super) tasks: TaskTracker,
    pub(super) crowd: Crowd,
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<TokioExecutor>,
}

impl<S> Context<S> {
    pub(in crate::serve) fn new(stack: S, connections: Connections, tasks: TaskTracker) -> Self {
        Self {
            stack,
            http1: http1(&connections),
            http2: http2(&connections),
            connections,
            tasks,
            crowd: Crowd::default(),
        }
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

fn http1(connections: &Connections) -> http1::Builder {
    let mut http1 = http1::Builder::new();
    http1
        .max_header_size(connections.head_bytes)
        .max_buf_size(connections.head_bytes.max(HTTP1_BUFFER))
        // The watch over the connection does that, with an answer for the client, and other times for a head that has begun
        // and for none.
        .header_read_timeout(None);
    // Setting it costs memory for each request from here on.
    if connections.head_fields != HYPERS_FIELDS {
        http1.max_headers(connections.head_fields);
    }
    http1
}

fn http2(connections: &Connections) -> http2::Builder<TokioExecutor> {
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(connections.head_bytes.try_into().unwrap_or(u32::MAX))
        .max_send_buf_size(BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    http2
}

/// What is written of one stream before the other side takes it: enough for the speed of a network, and little enough
/// for many clients that are slow.
const BUFFER: usize = 64 * 1024;

/// The most that is read of a large body at once. With a buffer of 64 KiB a megabyte takes a third more CPU; it grows only where
/// a client sends that fast.
const HTTP1_BUFFER: usize = 400 * 1024;

/// What hyper allows without a word of it.
const HYPERS_FIELDS: usize = 100;

/// Requests at one time on a connection: what RFC 9113 section 6.5.2 has as the least to be recommended.
const STREAMS: u32 = 100;

/// Finds a client that is gone without a word.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

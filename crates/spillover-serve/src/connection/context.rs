use std::fmt;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Duration;
use tokio_util::task::TaskTracker;

use super::idle_limit::IdleLimit;
use crate::Connections;

/// State that the connections of a thread share.
pub(crate) struct Context<S> {
    /// The service, cloned for each connection that is not idle.
    pub(super) stack: S,
    pub(super) connections: Connections,
    pub(super) tasks: TaskTracker,
    pub(super) idle_limit: IdleLimit,
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<TokioExecutor>,
}

impl<S> Context<S> {
    pub(crate) fn new(stack: S, connections: Connections, tasks: TaskTracker) -> Self {
        Self {
            stack,
            http1: http1(&connections),
            http2: http2(&connections),
            connections,
            tasks,
            idle_limit: IdleLimit::default(),
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
        // A chunk of a stream is small. Copied into one buffer it takes less than a list of its three parts.
        .writev(false)
        // The connection timer does that: it answers with 408, and has different timeouts for an incomplete head and for none.
        .header_read_timeout(None);
    // hyper allocates for each request once this is set.
    if connections.head_fields != DEFAULT_FIELDS {
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

/// Send buffer of an HTTP/2 stream, in bytes: enough for the speed of a network, and small enough for many slow clients.
const BUFFER: usize = 64 * 1024;

/// Largest read of an HTTP/1.1 connection, in bytes. With 64 KiB, a body of 1 MiB takes a third more CPU. The buffer grows
/// only for clients that send that fast.
const HTTP1_BUFFER: usize = 400 * 1024;

/// hyper's default number of header fields.
const DEFAULT_FIELDS: usize = 100;

/// Concurrent streams of an HTTP/2 connection, the least that RFC 9113 section 6.5.2 recommends.
const STREAMS: u32 = 100;

/// Interval of HTTP/2 pings, which find clients that are gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

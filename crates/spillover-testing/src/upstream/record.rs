use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};
use tokio::time::Instant;

/// Counters of a [`MockUpstream`](super::MockUpstream) since its first start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Requests whose head has arrived.
    pub received: u64,
    /// Answers with a 2xx status.
    pub served: u64,
    /// Answers with status 429.
    pub throttled: u64,
    /// Answers with any other status.
    pub failed: u64,
    /// Requests that the client dropped before the end of the answer.
    pub cancelled: u64,
    /// Requests that have arrived and whose answer has not ended.
    pub in_flight: u64,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The method.
    pub method: Method,
    /// The target as it was sent: over HTTP/1.1 only path and query.
    pub uri: Uri,
    /// The HTTP version.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body; empty if the answer came [before it](super::Behavior::early).
    pub body: Bytes,
    /// The time at which the head arrived.
    pub at: Instant,
}

impl RecordedRequest {
    /// Returns path and query.
    pub fn path_and_query(&self) -> &str {
        self.uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
    }
}

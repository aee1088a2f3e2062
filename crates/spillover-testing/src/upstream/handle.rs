use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};
use tokio::time::Instant;

use super::{behavior::Behavior, shared::Shared};
use crate::{limit::Limit, sync::lock};

/// Tells a [`MockUpstream`](super::MockUpstream) what to do, and what it has seen.
#[derive(Clone, Debug)]
pub struct UpstreamHandle {
    shared: Arc<Shared>,
}

impl UpstreamHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Does this with the next request that has no behavior yet. Each is used once, in the order
    /// given.
    pub fn push(&self, behavior: impl Into<Behavior>) {
        let behavior = behavior.into();
        lock(&self.shared.behaviors).queue.push_back(behavior);
    }

    /// Does this with every request for which nothing was [pushed](Self::push).
    pub fn set_behavior(&self, behavior: impl Into<Behavior>) {
        lock(&self.shared.behaviors).default = behavior.into();
    }

    /// Sets the limit of all deployments that have none of their own. It starts out unspent.
    pub fn set_limit(&self, limit: impl Into<Limit>) {
        self.shared.set_limit(Some(limit.into()));
    }

    /// Takes that limit away.
    pub fn clear_limit(&self) {
        self.shared.set_limit(None);
    }

    /// The newest requests, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.requests).iter().cloned().collect()
    }

    /// The newest request.
    pub fn last_request(&self) -> Option<RecordedRequest> {
        lock(&self.shared.requests).back().cloned()
    }

    /// The counters as they are now.
    pub fn stats(&self) -> Stats {
        *self.shared.stats.borrow()
    }

    /// Waits until the counters are as `condition` wants them: a cancelled request, for one, is seen
    /// a little after the client has dropped it.
    pub async fn wait_for(&self, condition: impl FnMut(&Stats) -> bool) -> Stats {
        let mut stats = self.shared.stats.subscribe();
        match stats.wait_for(condition).await {
            Ok(stats) => *stats,
            // The sender lives as long as `self`.
            Err(_) => self.stats(),
        }
    }
}

/// What a [`MockUpstream`](super::MockUpstream) has counted since it was first started.
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
    /// The version of HTTP.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body; empty if the answer came [before it](Behavior::early).
    pub body: Bytes,
    /// When the head arrived.
    pub at: Instant,
}

impl RecordedRequest {
    /// Path and query.
    pub fn path_and_query(&self) -> &str {
        self.uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
    }
}

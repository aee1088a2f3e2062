use std::sync::Arc;

use super::{
    behavior::Behavior,
    record::{RecordedRequest, Stats},
    shared::Shared,
};
use crate::{limit::Limit, sync::lock};

/// Controls a [`MockUpstream`](super::MockUpstream) and reads what it recorded.
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

    /// Queues a behavior for one of the next requests. Each is used once, in order.
    pub fn push(&self, behavior: impl Into<Behavior>) {
        let behavior = behavior.into();
        lock(&self.shared.behaviors).queue.push_back(behavior);
    }

    /// Sets the behavior for requests without a [queued](Self::push) one.
    pub fn set_behavior(&self, behavior: impl Into<Behavior>) {
        lock(&self.shared.behaviors).default = behavior.into();
    }

    /// Sets the limit of all deployments without one of their own. It starts unspent.
    pub fn set_limit(&self, limit: impl Into<Limit>) {
        self.shared.set_limit(Some(limit.into()));
    }

    /// Removes that limit.
    pub fn clear_limit(&self) {
        self.shared.set_limit(None);
    }

    /// Returns the newest requests, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.requests).iter().cloned().collect()
    }

    /// Returns the newest request.
    pub fn last_request(&self) -> Option<RecordedRequest> {
        lock(&self.shared.requests).back().cloned()
    }

    /// Returns the current counters.
    pub fn stats(&self) -> Stats {
        *self.shared.stats.borrow()
    }

    /// Waits until the counters satisfy `condition`. For example, a cancelled request is counted a little after the
    /// client dropped it.
    pub async fn wait_for(&self, condition: impl FnMut(&Stats) -> bool) -> Stats {
        let mut stats = self.shared.stats.subscribe();
        match stats.wait_for(condition).await {
            Ok(stats) => *stats,
            // The sender lives as long as `self`.
            Err(_) => self.stats(),
        }
    }
}

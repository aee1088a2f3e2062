use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counts of requests since the start, or since a client was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Requests with no key or an unknown one.
    pub unauthorized: u64,
    /// Counts of each name, in the order of the keys.
    pub clients: Vec<ClientCounts>,
}

/// Counts of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCounts {
    /// Name of the client.
    pub name: Arc<str>,
    /// Requests that were admitted.
    pub requests: u64,
    /// Requests that were refused by the rate limit.
    pub rate_limited: u64,
}

/// Counters of a name, which are kept when its key is replaced.
#[derive(Debug, Default)]
pub(super) struct Counts {
    requests: AtomicU64,
    rate_limited: AtomicU64,
}

impl Counts {
    pub(super) fn add_admitted(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub(super) fn add_rate_limited(&self) {
        self.rate_limited.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self, name: &Arc<str>) -> ClientCounts {
        ClientCounts {
            name: Arc::clone(name),
            requests: self.requests.load(Relaxed),
            rate_limited: self.rate_limited.load(Relaxed),
        }
    }
}

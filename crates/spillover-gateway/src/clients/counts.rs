use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// How many requests there were since the gateway started, or since a client came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Those without a key, or with one that is not known.
    pub(crate) unauthorized: u64,
    /// In the order of the configuration; each name once.
    pub(crate) clients: Vec<ClientCounts>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCounts {
    pub(crate) name: Arc<str>,
    /// Those that were let in.
    pub(crate) requests: u64,
    /// Those that were refused because there were too many.
    pub(crate) rate_limited: u64,
}

/// The counters of a name. It keeps them when its key is replaced.
#[derive(Debug, Default)]
pub(super) struct Counts {
    requests: AtomicU64,
    rate_limited: AtomicU64,
}

impl Counts {
    pub(super) fn let_in(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub(super) fn limited(&self) {
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

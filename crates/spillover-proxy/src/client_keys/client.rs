use std::{fmt, sync::Arc};

use super::{counts::Counts, rate::Rate};

/// The client of a request: name and permissions of its key. Clones share their state.
#[derive(Clone)]
pub struct Client {
    key: Arc<Key>,
}

/// A key of the ring, by its hash.
pub(super) struct Key {
    pub(super) name: Arc<str>,
    pub(super) sha256: [u8; 32],
    /// Empty: all pools.
    pub(super) pools: Box<[String]>,
    pub(super) rate: Option<Arc<Rate>>,
    pub(super) counts: Arc<Counts>,
}

impl Client {
    pub(super) fn new(key: Arc<Key>) -> Self {
        Self { key }
    }

    /// Returns the name for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.key.name
    }

    /// Returns true if the key may use the pool of this name.
    #[must_use]
    pub fn may_use(&self, pool: &str) -> bool {
        let pools = &self.key.pools;
        pools.is_empty() || pools.iter().any(|other| other == pool)
    }

    pub(super) fn rate(&self) -> Option<&Rate> {
        self.key.rate.as_deref()
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.key.counts
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

/// Leaves out the hash, which would allow guesses to be tested elsewhere.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("pools", &self.pools)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

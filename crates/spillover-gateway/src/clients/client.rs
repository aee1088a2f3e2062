use std::{fmt, sync::Arc};

use super::{counts::Counts, rate::Rate};

/// Who sent a request: the name of the key that it showed, and what that key opens. Clones share it.
#[derive(Clone)]
pub(crate) struct Client {
    key: Arc<Key>,
}

/// A key of the ring: not the key itself, of which only the hash is known.
pub(super) struct Key {
    pub(super) name: Arc<str>,
    pub(super) sha256: [u8; 32],
    /// Empty: all of them.
    pub(super) pools: Box<[String]>,
    pub(super) rate: Option<Arc<Rate>>,
    pub(super) counts: Arc<Counts>,
}

impl Client {
    pub(super) fn new(key: Arc<Key>) -> Self {
        Self { key }
    }

    /// What logs and metrics call it.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.key.name
    }

    /// Whether its key opens the pool of this name.
    pub(crate) fn may_use(&self, pool: &str) -> bool {
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

/// Without the hash: who has it can try out guesses, away from here.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("pools", &self.pools)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

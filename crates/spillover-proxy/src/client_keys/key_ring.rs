use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use http::Request;
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::{
    client::{Client, Key},
    counts::{Counts, Snapshot},
    options::ClientKey,
    presented::take_keys,
    rate::Rate,
    refusal::Refusal,
};

/// The accepted keys. Without any, no key is needed.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: Box<[Arc<Key>]>,
    unauthorized: Arc<AtomicU64>,
}

impl KeyRing {
    /// Creates a ring.
    pub fn new(keys: &[ClientKey]) -> Arc<Self> {
        Self::default().reloaded(keys)
    }

    /// Creates a ring with other keys. A key that stays keeps the state of its rate limit, a name that stays its counts.
    #[must_use]
    pub fn reloaded(&self, keys: &[ClientKey]) -> Arc<Self> {
        let mut counts: HashMap<Arc<str>, Arc<Counts>> = self
            .keys
            .iter()
            .map(|key| (Arc::clone(&key.name), Arc::clone(&key.counts)))
            .collect();
        let rates: HashMap<_, _> = self
            .keys
            .iter()
            .filter_map(|key| Some((key.sha256, key.rate.as_ref()?)))
            .map(|(sha256, rate)| ((sha256, rate.per_minute()), rate))
            .collect();
        let key = |key: &ClientKey| {
            let name = Arc::from(key.name.as_str());
            let rate = key.requests_per_minute.map(|per_minute| {
                let kept = rates.get(&(key.sha256, per_minute)).copied();
                kept.map_or_else(|| Arc::new(Rate::new(per_minute)), Arc::clone)
            });
            Arc::new(Key {
                sha256: key.sha256,
                pools: key.pools.clone().into(),
                rate,
                counts: Arc::clone(counts.entry(Arc::clone(&name)).or_default()),
                name,
            })
        };
        Arc::new(Self {
            keys: keys.iter().map(key).collect(),
            unauthorized: Arc::clone(&self.unauthorized),
        })
    }

    /// Returns true if there are no keys, so that requests need none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut clients: Vec<_> = Vec::with_capacity(self.keys.len());
        for (nth, key) in self.keys.iter().enumerate() {
            let before = &self.keys[..nth];
            if !before.iter().any(|other| other.name == key.name) {
                clients.push(key.counts.read(&key.name));
            }
        }
        Snapshot {
            unauthorized: self.unauthorized.load(Relaxed),
            clients,
        }
    }

    /// Removes the key from a request, and returns its client or the reason for a refusal.
    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Result<Client, Refusal> {
        let client = match take_keys(request, self) {
            Ok(key) => Client::new(key),
            Err(refusal) => {
                self.unauthorized.fetch_add(1, Relaxed);
                return Err(refusal);
            }
        };
        if let Some(rate) = client.rate()
            && let Err(wait) = rate.check()
        {
            client.counts().add_rate_limited();
            let per_minute = rate.per_minute();
            return Err(Refusal::TooMany {
                client,
                per_minute,
                wait,
            });
        }
        client.counts().add_admitted();
        Ok(client)
    }

    /// Returns the key with this secret. Compares every key, so that the time does not depend on the result.
    pub(super) fn find(&self, secret: &[u8]) -> Option<&Arc<Key>> {
        let sha256: [u8; 32] = Sha256::digest(secret).into();
        let mut found = u64::MAX;
        for (index, key) in (0_u64..).zip(&self.keys) {
            let is_same = key.sha256.ct_eq(&sha256);
            found.conditional_assign(&index, is_same);
        }
        self.keys.get(usize::try_from(found).ok()?)
    }
}

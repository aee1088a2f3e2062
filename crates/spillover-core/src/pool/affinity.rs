use std::fmt;

use super::rendezvous::hash;

/// The backend that a request belongs to. For example, one that has the conversation in a cache, or holds a file of the request.
///
/// An affinity in the extensions of a request comes before the draw and the [`Strategy`](super::Strategy), which decide only for
/// requests without one. A closed backend is passed over all the same, unless the affinity is [pinned](Self::pinned).
///
/// ```
/// use std::time::Duration;
/// use spillover_core::{Affinity, Backend, Outcome, Pool, Query, Weighted};
/// use tokio::time::Instant;
///
/// let backend = |label: &str| Backend::builder(label).url("https://upstream.example").build();
/// let pool = Pool::new([backend("a")?, backend("b")?, backend("c")?])?;
/// let now = Instant::now();
/// let select = |affinity: Affinity, draw| {
///     pool.select(&Query::new().affinity(affinity), now, draw)
/// };
///
/// // One of them, whatever the draw.
/// let session = Affinity::by_key("session 7");
/// let home = select(session, 0).expect("all are open");
/// assert_eq!(select(session, u64::MAX).expect("all are open").index(), home.index());
///
/// // While it is throttled, another one; but not for a request that must go there.
/// home.record(&Outcome::throttled(Duration::from_secs(2)), now);
/// assert_ne!(select(session, 0).expect("two are open").index(), home.index());
/// let exhausted = select(session.pinned(), 0).expect_err("it is closed");
/// assert_eq!(exhausted.reopens_in(), Duration::from_secs(2));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # How a key finds its backend
///
/// A key finds its backend by weighted rendezvous hashing. Each backend of the tier has a score for the key, and the
/// highest one gets the key. The backend depends on key, labels and weights alone, so that all instances agree, also
/// after a restart and in any order of their lists. An added backend takes its share of the keys from all others. A
/// removed backend leaves its keys to the others. No other key moves. A changed weight moves keys to or from its
/// backend only.
///
/// The score is `-weight / ln(u)`, where `u` is made of 64-bit hashes, and stays as it is in all versions:
///
/// * `fnv` is [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv) of the bytes, and `mix` the finalizer of
///   [SplitMix64](https://prng.di.unimi.it/splitmix64.c);
/// * `h = mix(fnv(key) ^ mix(fnv(label)))`, and `u = (h >> 11 | 1) / 2^53`.
///
/// An affinity holds `fnv(key)` and not the key. The hash does not protect the key: a guess can be checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Affinity {
    pub(super) target: Target,
    pub(super) is_pinned: bool,
}

/// Hashes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Key(u64),
    Label(u64),
}

impl Affinity {
    /// Creates the affinity of all requests with this key: to the backend that scores highest of those open in the best tier.
    ///
    /// Keys are shared by weight. While that backend is closed, each of its keys goes to the backend that scores next, and then
    /// back.
    #[must_use]
    pub fn by_key(key: impl AsRef<[u8]>) -> Self {
        Self::new(Target::Key(hash(key.as_ref())))
    }

    /// Creates the affinity to the backend with this label, whatever its tier. If that backend is closed, or no backend has the
    /// label, the request goes where it would go without affinity.
    #[must_use]
    pub fn to_backend(label: &str) -> Self {
        Self::new(Target::Label(hash(label.as_bytes())))
    }

    /// Pins the request to its backend, as if that were alone in the pool. For example, only one backend holds the file that the
    /// request names. If the backend is closed or refuses, the request goes to no other.
    ///
    /// A key pins to the backend that scores highest in the best tier, open or not. A label that no backend has pins nothing.
    #[must_use]
    pub fn pinned(self) -> Self {
        Self {
            is_pinned: true,
            ..self
        }
    }

    fn new(target: Target) -> Self {
        Self {
            target,
            is_pinned: false,
        }
    }
}

impl fmt::Debug for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key may be the name of a user, and a guess can be checked by the hash.
        let target = match self.target {
            Target::Key(_) => "key",
            Target::Label(_) => "label",
        };
        f.debug_struct("Affinity")
            .field("by", &target)
            .field("is_pinned", &self.is_pinned)
            .finish()
    }
}

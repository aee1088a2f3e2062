use std::fmt;

use super::rendezvous::hash;

/// Which backend a request belongs to: the one that has its conversation in a cache, or that holds a file it names.
///
/// In the request's extensions it goes before the draw and the [`Strategy`](super::Strategy), which decide for requests
/// without it only. Backends that are closed are passed over all the same, unless it is [pinned](Self::pinned).
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
/// By weighted rendezvous hashing. Each backend of the tier has a score for the key, and the highest has it. Who knows key,
/// labels and weights knows the backend: all instances agree, after a restart as before, in whatever order they list the
/// backends. One that is added takes its share of the keys from all others, one that is removed leaves its own to them, and
/// no other key moves; a weight that changes moves keys to or from that backend alone.
///
/// The score is `-weight / ln(u)`, where `u` is made of 64-bit hashes, and stays as it is in all versions:
///
/// * `fnv` is [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv) of the bytes, and `mix` the finalizer of
///   [SplitMix64](https://prng.di.unimi.it/splitmix64.c);
/// * `h = mix(fnv(key) ^ mix(fnv(label)))`, and `u = (h >> 11 | 1) / 2^53`.
///
/// Only `fnv(key)` is kept of the key. It is no secret: whoever can guess the key can check it.
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
    /// To the same backend as all with this key: of those that are open in the best tier, the one that scores highest. Keys
    /// are shared by weight. While that backend is closed, its keys go to the next highest, each key to its own, and then
    /// back.
    #[must_use]
    pub fn by_key(key: impl AsRef<[u8]>) -> Self {
        Self::new(Target::Key(hash(key.as_ref())))
    }

    /// To the backend with this label, as long as it is open, whatever its tier; else, and when there is none with the label,
    /// as without affinity.
    #[must_use]
    pub fn to_backend(label: &str) -> Self {
        Self::new(Target::Label(hash(label.as_bytes())))
    }

    /// To no other backend, ever: for what only that one has. When it is closed, or refuses, there is no other for this
    /// request, as if it were alone in the pool.
    ///
    /// For a key that is the one that scores highest in the best tier, open or not. A label that no backend has pins
    /// nothing: it is as without affinity.
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
        // A key may be the name of a user, and its hash is as good as that to who can guess it.
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

use http::HeaderName;
use spillover_core::Affinity;

/// What keeps requests that belong together at one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AffinityConfig {
    /// The first that a request has counts.
    pub(crate) keys: Vec<AffinityKey>,
    /// Whether the request goes nowhere else while that backend is closed.
    pub(crate) is_pinned: bool,
}

impl AffinityConfig {
    /// An affinity as strong as it is set.
    pub(crate) fn bind(&self, affinity: Affinity) -> Affinity {
        if self.is_pinned {
            affinity.pinned()
        } else {
            affinity
        }
    }

    /// The name of the cookie.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.keys.iter().find_map(|key| match key {
            AffinityKey::Cookie(name) => Some(name.as_str()),
            AffinityKey::Header(_) | AffinityKey::BodyField(_) | AffinityKey::Id => None,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AffinityKey {
    Header(HeaderName),
    /// Of the object that a JSON body is; a string.
    BodyField(String),
    /// The id of what was made through the gateway before: a response, a file, a thread, a batch.
    Id,
    /// Set by the gateway where a request has none.
    Cookie(String),
}

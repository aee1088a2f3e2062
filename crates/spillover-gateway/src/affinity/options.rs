use http::HeaderName;
use spillover_core::Affinity;

/// Settings that keep requests of one conversation at one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AffinityConfig {
    /// Sources of the affinity key. The first one that a request has decides.
    pub(crate) keys: Vec<AffinityKey>,
    /// True when a request is not sent to another backend while its own is closed.
    pub(crate) is_pinned: bool,
}

impl AffinityConfig {
    /// Returns `affinity`, pinned when [`is_pinned`](Self::is_pinned) is set.
    pub(crate) fn bind(&self, affinity: Affinity) -> Affinity {
        if self.is_pinned {
            affinity.pinned()
        } else {
            affinity
        }
    }

    /// Returns the name of the affinity cookie, if one of the keys is a cookie.
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
    /// A string member of the JSON body, by name. For example `user`.
    BodyField(String),
    /// The id of an object that the gateway has seen a backend create, such as a response, a file or a batch.
    Id,
    /// A cookie, which the gateway sets where a request has none.
    Cookie(String),
}

use http::HeaderName;
use spillover_core::Affinity;

use super::known_ids::ID_FIELDS;

/// Settings of [`BindAffinityLayer`](super::BindAffinityLayer). The default has no keys: requests pass unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AffinityOptions {
    /// Sources of the affinity key. The first one that a request has decides.
    pub keys: Vec<AffinityKey>,
    /// True when a request is not sent to another backend while its own is closed.
    pub is_pinned: bool,
}

/// A source of the affinity key of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AffinityKey {
    /// The value of a header field. An empty value does not count.
    Header(HeaderName),
    /// A string member of the JSON body, by name. For example `user`. An empty string does not count.
    BodyField(String),
    /// The id of an object that a backend has created through this layer, such as a response, a file or a batch.
    Id,
    /// A cookie, by name. The layer sets it in the response to a request without it.
    Cookie(String),
}

impl AffinityOptions {
    /// Returns the names of the JSON fields that the keys are read from, for [`Fields::new`](crate::model::Fields::new).
    ///
    /// ```
    /// use tower_spillover::affinity::{AffinityKey, AffinityOptions};
    ///
    /// let options = AffinityOptions {
    ///     keys: vec![AffinityKey::BodyField("user".into()), AffinityKey::Id],
    ///     ..AffinityOptions::default()
    /// };
    /// let fields: Vec<_> = options.body_fields().collect();
    /// assert_eq!(fields[..2], ["user", "previous_response_id"]);
    /// ```
    pub fn body_fields(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().flat_map(|key| {
            let (name, ids) = match key {
                AffinityKey::BodyField(name) => (Some(name.as_str()), &[][..]),
                AffinityKey::Id => (None, &ID_FIELDS[..]),
                AffinityKey::Header(_) | AffinityKey::Cookie(_) => (None, &[][..]),
            };
            name.into_iter().chain(ids.iter().copied())
        })
    }

    /// Returns `affinity`, pinned when [`is_pinned`](Self::is_pinned) is set.
    pub(super) fn bind(&self, affinity: Affinity) -> Affinity {
        match self.is_pinned {
            true => affinity.pinned(),
            false => affinity,
        }
    }

    /// Returns the name of the affinity cookie, if one of the keys is a cookie.
    pub(super) fn cookie(&self) -> Option<&str> {
        self.keys.iter().find_map(|key| match key {
            AffinityKey::Cookie(name) => Some(name.as_str()),
            AffinityKey::Header(_) | AffinityKey::BodyField(_) | AffinityKey::Id => None,
        })
    }
}

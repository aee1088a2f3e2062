use http::HeaderName;

/// What keeps requests that belong together at one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AffinityConfig {
    /// The first that a request has counts.
    pub(crate) keys: Vec<AffinityKey>,
    /// Whether the request goes nowhere else while that backend is closed.
    pub(crate) is_pinned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AffinityKey {
    Header(HeaderName),
    /// Of the object that a JSON body is; a string.
    BodyField(String),
    /// Set by the gateway where a request has none.
    Cookie(String),
}

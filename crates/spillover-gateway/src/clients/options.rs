use std::{fmt, num::NonZeroU32};

use http::HeaderValue;

/// Who may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clients {
    /// Empty: everybody.
    pub(crate) keys: Vec<ClientKey>,
    /// Without it, browsers of other origins are told nothing.
    pub(crate) cors: Option<Cors>,
}

/// A key that a client shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClientKey {
    /// What logs and metrics call who has it.
    pub(crate) name: String,
    /// Of the key.
    pub(crate) sha256: [u8; 32],
    /// The pools that it opens; empty: all of them.
    pub(crate) pools: Vec<String>,
    pub(crate) requests_per_minute: Option<NonZeroU32>,
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey")
            .field("name", &self.name)
            .field("pools", &self.pools)
            .field("requests_per_minute", &self.requests_per_minute)
            .finish_non_exhaustive()
    }
}

/// The pages of which origins may call the gateway (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cors {
    AnyOrigin,
    Origins(Vec<HeaderValue>),
}

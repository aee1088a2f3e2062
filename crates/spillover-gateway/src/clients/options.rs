use std::{fmt, num::NonZeroU32};

use http::HeaderValue;

/// Client keys and CORS: which clients may use the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clients {
    /// Accepted keys. Empty: requests need no key.
    pub(crate) keys: Vec<ClientKey>,
    /// Origins whose pages may call the gateway. `None`: responses have no CORS fields.
    pub(crate) cors: Option<Cors>,
}

/// An accepted key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClientKey {
    /// Name of the client in logs and metrics.
    pub(crate) name: String,
    /// SHA-256 of the key. The key itself is not stored.
    pub(crate) sha256: [u8; 32],
    /// Pools that the key may use. Empty: all pools.
    pub(crate) pools: Vec<String>,
    /// Rate limit of the key. `None`: no limit.
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

/// Origins whose pages may call the gateway (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cors {
    AnyOrigin,
    Origins(Vec<HeaderValue>),
}

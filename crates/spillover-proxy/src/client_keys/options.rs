use std::{fmt, num::NonZeroU32};

/// An accepted key.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientKey {
    /// Name of the client in logs and metrics.
    pub name: String,
    /// SHA-256 of the key. The key itself is not stored.
    pub sha256: [u8; 32],
    /// Pools that the key may use. Empty: all pools.
    pub pools: Vec<String>,
    /// Rate limit of the key. `None`: no limit.
    pub requests_per_minute: Option<NonZeroU32>,
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

use std::sync::Arc;

use tower::Layer;

use super::{key_ring::KeyRing, service::ClientKeys};

/// Requires a client key; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientKeysLayer {
    keys: Arc<KeyRing>,
}

impl ClientKeysLayer {
    /// Creates a layer that accepts the keys of this ring.
    pub fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys }
    }
}

impl<S> Layer<S> for ClientKeysLayer {
    type Service = ClientKeys<S>;

    fn layer(&self, inner: S) -> ClientKeys<S> {
        ClientKeys::new(inner, Arc::clone(&self.keys))
    }
}

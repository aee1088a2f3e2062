use std::sync::Arc;

use tower::Layer;

use super::{key_ring::KeyRing, service::Clients};

/// Lets in who has a key; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct ClientsLayer {
    keys: Arc<KeyRing>,
}

impl ClientsLayer {
    /// Goes by these keys.
    pub(crate) fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys }
    }
}

impl<S> Layer<S> for ClientsLayer {
    type Service = Clients<S>;

    fn layer(&self, inner: S) -> Clients<S> {
        Clients::new(inner, Arc::clone(&self.keys))
    }
}

use tower_layer::Layer;

use super::Patience;

/// Bounds an attempt by a share of the time that the client waits; see the [module](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PatienceLayer {
    _priv: (),
}

impl PatienceLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for PatienceLayer {
    type Service = Patience<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Patience::new(inner)
    }
}

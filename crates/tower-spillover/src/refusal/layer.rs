use tower_layer::Layer;

use super::RefusalBody;

/// Reads the bodies of refusals that are in doubt; see the [module](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RefusalBodyLayer {
    _priv: (),
}

impl RefusalBodyLayer {
    /// The layer.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for RefusalBodyLayer {
    type Service = RefusalBody<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RefusalBody::new(inner)
    }
}

use tower_layer::Layer;

use super::InFlight;

/// Counts a request as in flight until the body of its answer ends; see the [module](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct InFlightLayer {
    _priv: (),
}

impl InFlightLayer {
    /// The layer.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for InFlightLayer {
    type Service = InFlight<S>;

    fn layer(&self, inner: S) -> Self::Service {
        InFlight::new(inner)
    }
}

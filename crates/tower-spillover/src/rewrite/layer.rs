use tower_layer::Layer;

use super::RewriteRequest;

/// Makes requests ones for the selected backend; see the [module](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RewriteRequestLayer {
    _priv: (),
}

impl RewriteRequestLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for RewriteRequestLayer {
    type Service = RewriteRequest<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RewriteRequest::new(inner)
    }
}

use tower::Layer;

use super::{
    policy::{AllowedOrigins, Policy},
    service::Cors,
};

/// Permits pages of other origins; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct CorsLayer {
    policy: Option<Policy>,
}

impl CorsLayer {
    /// Creates a layer. `None`: no CORS fields, and preflights pass.
    pub fn new(origins: Option<&AllowedOrigins>) -> Self {
        Self {
            policy: origins.map(Policy::new),
        }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        Cors::new(inner, self.policy.clone())
    }
}

use tower::Layer;

use super::{policy::Policy, service::Cors};

/// Lets the pages of other origins call; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct CorsLayer {
    policy: Option<Policy>,
}

impl CorsLayer {
    /// Goes by the setting.
    pub(crate) fn new(setting: Option<&crate::clients::Cors>) -> Self {
        Self {
            policy: setting.map(Policy::new),
        }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        Cors::new(inner, self.policy.clone())
    }
}

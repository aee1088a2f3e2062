use std::sync::Arc;

use tower::Layer;

use super::{BackendFields, FinalResponse, fields::Fields};
use crate::HeaderRules;

/// Finishes the responses of a pool; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct FinalResponseLayer {
    fields: Arc<Fields>,
}

impl FinalResponseLayer {
    /// Creates the layer with the fields of each backend, in the order of the pool.
    pub fn new(backends: impl IntoIterator<Item = BackendFields>) -> Self {
        Self::from_fields(backends.into_iter().collect(), HeaderRules::default())
    }

    /// Sets and removes fields of all responses, also of those without a backend.
    pub fn rules(self, rules: HeaderRules) -> Self {
        Self::from_fields(self.fields.of_backends.clone(), rules)
    }

    fn from_fields(of_backends: Vec<BackendFields>, rules: HeaderRules) -> Self {
        Self {
            fields: Arc::new(Fields { of_backends, rules }),
        }
    }
}

impl<S> Layer<S> for FinalResponseLayer {
    type Service = FinalResponse<S>;

    fn layer(&self, inner: S) -> FinalResponse<S> {
        FinalResponse::new(inner, Arc::clone(&self.fields))
    }
}

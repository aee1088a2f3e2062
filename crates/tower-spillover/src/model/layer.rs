use tower_layer::Layer;

use super::{EmptyResponse, Fields, ModelScope};

/// Puts the scope of a request into its extensions; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct ModelScopeLayer<R = EmptyResponse> {
    fields: Fields,
    response: R,
}

impl ModelScopeLayer {
    /// Creates a layer that reads these fields, and the model for its scope.
    pub fn new(fields: Fields) -> Self {
        Self {
            fields,
            response: EmptyResponse::default(),
        }
    }
}

impl<R> ModelScopeLayer<R> {
    /// Answers [rejected](super::Rejected) requests with `response`. Default: [`EmptyResponse`].
    pub fn with_rejected_response<T>(self, response: T) -> ModelScopeLayer<T> {
        ModelScopeLayer {
            fields: self.fields,
            response,
        }
    }
}

impl<S, R: Clone> Layer<S> for ModelScopeLayer<R> {
    type Service = ModelScope<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        ModelScope::new(inner, self.fields.clone(), self.response.clone())
    }
}

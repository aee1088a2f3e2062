use std::sync::Arc;

use tower::Layer;

use super::service::LastWord;
use crate::site::Names;

/// Finishes the responses of a pool; see the [module](super).
#[derive(Clone, Debug)]
pub(crate) struct LastWordLayer {
    names: Arc<Names>,
}

impl LastWordLayer {
    pub(crate) fn new(names: Arc<Names>) -> Self {
        Self { names }
    }
}

impl<S> Layer<S> for LastWordLayer {
    type Service = LastWord<S>;

    fn layer(&self, inner: S) -> LastWord<S> {
        LastWord::new(inner, Arc::clone(&self.names))
    }
}

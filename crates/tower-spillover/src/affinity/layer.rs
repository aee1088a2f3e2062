use std::sync::Arc;

use tower_layer::Layer;

use super::{AffinityOptions, BindAffinity, KnownIds};
use crate::select::ThreadDraw;

/// Binds related requests to one backend; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct BindAffinityLayer<D = ThreadDraw> {
    options: Arc<AffinityOptions>,
    known_ids: KnownIds,
    draw: D,
}

impl BindAffinityLayer {
    /// Creates a layer with these settings.
    pub fn new(options: AffinityOptions) -> Self {
        Self {
            options: Arc::new(options),
            known_ids: KnownIds::default(),
            draw: ThreadDraw::default(),
        }
    }
}

impl<D> BindAffinityLayer<D> {
    /// Records ids in `known_ids`, and looks them up there. For example two stacks over the same backends share one. Default: a
    /// new one, shared by the services of this layer.
    pub fn known_ids(self, known_ids: KnownIds) -> Self {
        Self { known_ids, ..self }
    }

    /// Takes the random values of new cookies from `draw`. Default: [`ThreadDraw`].
    pub fn with_draw<T>(self, draw: T) -> BindAffinityLayer<T> {
        BindAffinityLayer {
            options: self.options,
            known_ids: self.known_ids,
            draw,
        }
    }
}

impl<S, D: Clone> Layer<S> for BindAffinityLayer<D> {
    type Service = BindAffinity<S, D>;

    fn layer(&self, inner: S) -> Self::Service {
        BindAffinity::new(
            inner,
            Arc::clone(&self.options),
            self.known_ids.clone(),
            self.draw.clone(),
        )
    }
}

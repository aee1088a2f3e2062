use tower::Layer;

use super::service::LastWord;

/// Chooses what a client reads when no backend served its request; see the [module](super).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastWordLayer;

impl<S> Layer<S> for LastWordLayer {
    type Service = LastWord<S>;

    fn layer(&self, inner: S) -> LastWord<S> {
        LastWord::new(inner)
    }
}

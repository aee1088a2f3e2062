use spillover_core::Pool;
use tower_layer::Layer;

use super::{EmptyResponse, PrioritySelect, ThreadDraw, WhenExhausted};

/// Chooses the backend for each attempt; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct PrioritySelectLayer<D = ThreadDraw, R = EmptyResponse> {
    pool: Pool,
    when_exhausted: WhenExhausted,
    draw: D,
    response: R,
}

impl PrioritySelectLayer {
    /// Chooses from this pool.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            when_exhausted: WhenExhausted::default(),
            draw: ThreadDraw::default(),
            response: EmptyResponse::default(),
        }
    }
}

impl<D, R> PrioritySelectLayer<D, R> {
    /// What becomes of a request that finds every backend throttled. Default: [`WhenExhausted::Forward`].
    pub fn when_exhausted(self, when_exhausted: WhenExhausted) -> Self {
        Self {
            when_exhausted,
            ..self
        }
    }

    /// Draws by `draw`.
    pub fn with_draw<T>(self, draw: T) -> PrioritySelectLayer<T, R> {
        PrioritySelectLayer {
            pool: self.pool,
            when_exhausted: self.when_exhausted,
            draw,
            response: self.response,
        }
    }

    /// Makes the answer for a request that no backend would take by `response`.
    pub fn with_exhausted_response<T>(self, response: T) -> PrioritySelectLayer<D, T> {
        PrioritySelectLayer {
            pool: self.pool,
            when_exhausted: self.when_exhausted,
            draw: self.draw,
            response,
        }
    }
}

impl<S, D: Clone, R: Clone> Layer<S> for PrioritySelectLayer<D, R> {
    type Service = PrioritySelect<S, D, R>;

    fn layer(&self, inner: S) -> Self::Service {
        PrioritySelect::new(
            inner,
            self.pool.clone(),
            self.when_exhausted,
            self.draw.clone(),
            self.response.clone(),
        )
    }
}

use spillover_core::{Pool, Weighted};
use tower_layer::Layer;

use super::{EmptyResponse, PrioritySelect, ThreadDraw, WhenExhausted};

/// Chooses the backend for each attempt; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct PrioritySelectLayer<D = ThreadDraw, R = EmptyResponse, T = Weighted> {
    pub(crate) pool: Pool,
    pub(crate) when_exhausted: WhenExhausted,
    pub(super) draw: D,
    pub(crate) response: R,
    pub(super) strategy: T,
}

impl PrioritySelectLayer {
    /// Creates a layer that chooses from this pool.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            when_exhausted: WhenExhausted::default(),
            draw: ThreadDraw::default(),
            response: EmptyResponse::default(),
            strategy: Weighted::default(),
        }
    }
}

impl<D, R, T> PrioritySelectLayer<D, R, T> {
    /// What becomes of a request that finds every backend throttled or full. Default: [`WhenExhausted::Forward`].
    pub fn when_exhausted(self, when_exhausted: WhenExhausted) -> Self {
        Self {
            when_exhausted,
            ..self
        }
    }

    /// Draws by `draw`.
    pub fn with_draw<U>(self, draw: U) -> PrioritySelectLayer<U, R, T> {
        PrioritySelectLayer {
            pool: self.pool,
            when_exhausted: self.when_exhausted,
            draw,
            response: self.response,
            strategy: self.strategy,
        }
    }

    /// Makes the answer for a request that no backend would take by `response`.
    pub fn with_exhausted_response<U>(self, response: U) -> PrioritySelectLayer<D, U, T> {
        PrioritySelectLayer {
            pool: self.pool,
            when_exhausted: self.when_exhausted,
            draw: self.draw,
            response,
            strategy: self.strategy,
        }
    }

    /// Chooses within a tier by `strategy`, such as [`PeakEwma`](spillover_core::PeakEwma). Default: [`Weighted`].
    pub fn with_strategy<U>(self, strategy: U) -> PrioritySelectLayer<D, R, U> {
        PrioritySelectLayer {
            pool: self.pool,
            when_exhausted: self.when_exhausted,
            draw: self.draw,
            response: self.response,
            strategy,
        }
    }
}

impl<S, D: Clone, R: Clone, T: Clone> Layer<S> for PrioritySelectLayer<D, R, T> {
    type Service = PrioritySelect<S, D, R, T>;

    fn layer(&self, inner: S) -> Self::Service {
        PrioritySelect::new(inner, self.clone())
    }
}

use spillover_core::{Pool, Weighted};
use tower_layer::Layer;

use super::{EmptyResponse, PrioritySelect, ThreadDraw, WhenExhausted, selector::Selector};

/// Chooses the backend for each attempt; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct PrioritySelectLayer<D = ThreadDraw, R = EmptyResponse, T = Weighted> {
    pub(crate) selector: Selector<D, R, T>,
}

impl PrioritySelectLayer {
    /// Creates a layer that chooses from this pool.
    pub fn new(pool: Pool) -> Self {
        let selector = Selector {
            pool,
            when_exhausted: WhenExhausted::default(),
            draw: ThreadDraw::default(),
            response: EmptyResponse::default(),
            strategy: Weighted::default(),
        };
        Self { selector }
    }
}

impl<D, R, T> PrioritySelectLayer<D, R, T> {
    /// Sets what becomes of a request that finds every backend throttled or full. Default: [`WhenExhausted::Forward`].
    pub fn when_exhausted(mut self, when_exhausted: WhenExhausted) -> Self {
        self.selector.when_exhausted = when_exhausted;
        self
    }

    /// Takes random numbers from `draw`.
    pub fn with_draw<U>(self, draw: U) -> PrioritySelectLayer<U, R, T> {
        let selector = self.selector;
        let selector = Selector {
            pool: selector.pool,
            when_exhausted: selector.when_exhausted,
            draw,
            response: selector.response,
            strategy: selector.strategy,
        };
        PrioritySelectLayer { selector }
    }

    /// Answers a request that no backend would take by `response`.
    pub fn with_exhausted_response<U>(self, response: U) -> PrioritySelectLayer<D, U, T> {
        let selector = self.selector;
        let selector = Selector {
            pool: selector.pool,
            when_exhausted: selector.when_exhausted,
            draw: selector.draw,
            response,
            strategy: selector.strategy,
        };
        PrioritySelectLayer { selector }
    }

    /// Chooses within a tier by `strategy`, such as [`PeakEwma`](spillover_core::PeakEwma). Default: [`Weighted`].
    pub fn with_strategy<U>(self, strategy: U) -> PrioritySelectLayer<D, R, U> {
        let selector = self.selector;
        let selector = Selector {
            pool: selector.pool,
            when_exhausted: selector.when_exhausted,
            draw: selector.draw,
            response: selector.response,
            strategy,
        };
        PrioritySelectLayer { selector }
    }
}

impl<S, D: Clone, R: Clone, T: Clone> Layer<S> for PrioritySelectLayer<D, R, T> {
    type Service = PrioritySelect<S, D, R, T>;

    fn layer(&self, inner: S) -> Self::Service {
        PrioritySelect::new(inner, self.selector.clone())
    }
}

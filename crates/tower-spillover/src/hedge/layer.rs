use std::{sync::Arc, time::Duration};

use spillover_core::StatusClassifier;
use tower::retry::budget::TpsBudget;
use tower_layer::Layer;

use super::{EveryRequest, Hedge, service::Settings};

/// Sends a slow request to a second backend as well; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct HedgeLayer<C = StatusClassifier, F = EveryRequest> {
    pub(crate) settings: Settings<C, F>,
}

impl HedgeLayer {
    /// Hedges every request that has no answer after `delay`, within the default budget.
    ///
    /// A good delay is the time within which 95 of 100 requests have their answer: then few are sent twice.
    pub fn new(delay: Duration) -> Self {
        let settings = Settings {
            delay,
            budget: Arc::new(TpsBudget::new(BUDGET_PERIOD, MIN_PER_SECOND, SHARE)),
            classify: StatusClassifier::new(),
            filter: EveryRequest::default(),
        };
        Self { settings }
    }
}

impl<C, F> HedgeLayer<C, F> {
    /// Takes hedges from this budget: each request that may be hedged is a deposit, each hedge a withdrawal. All services of
    /// this layer and of its clones share it; it takes a lock for a moment for each of them.
    ///
    /// The budget keeps hedges from doubling the load when every backend is slow. Default: a tenth of the requests of the
    /// last ten seconds, and ten more in each ten seconds.
    pub fn budget(mut self, budget: TpsBudget) -> Self {
        self.settings.budget = Arc::new(budget);
        self
    }

    /// Decides by `classify` what an answer without an [`Outcome`](spillover_core::Outcome) means.
    pub fn with_classify<T>(self, classify: T) -> HedgeLayer<T, F> {
        let settings = self.settings;
        let settings = Settings {
            delay: settings.delay,
            budget: settings.budget,
            classify,
            filter: settings.filter,
        };
        HedgeLayer { settings }
    }

    /// Hedges only requests that `filter` allows. Default: [`EveryRequest`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::Request;
    /// use tower_spillover::hedge::HedgeLayer;
    ///
    /// // A second answer does no harm; a second batch or a second upload would.
    /// fn is_completion<B>(request: &Request<B>) -> bool {
    ///     request.uri().path().ends_with("/chat/completions")
    /// }
    ///
    /// let layer = HedgeLayer::new(Duration::from_secs(2)).with_filter(is_completion::<String>);
    /// # let _ = layer;
    /// ```
    pub fn with_filter<T>(self, filter: T) -> HedgeLayer<C, T> {
        let settings = self.settings;
        let settings = Settings {
            delay: settings.delay,
            budget: settings.budget,
            classify: settings.classify,
            filter,
        };
        HedgeLayer { settings }
    }
}

impl<S, C: Clone, F: Clone> Layer<S> for HedgeLayer<C, F> {
    type Service = Hedge<S, C, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Hedge::new(inner, self.settings.clone())
    }
}

const BUDGET_PERIOD: Duration = Duration::from_secs(10);

/// For services with few requests, of which a tenth would be none.
const MIN_PER_SECOND: u32 = 1;

const SHARE: f32 = 0.1;

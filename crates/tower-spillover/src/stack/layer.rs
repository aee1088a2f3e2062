use std::num::NonZeroU32;

use spillover_core::{Pool, StatusClassifier, Weighted};
use tower::util::option_layer;
use tower_layer::Layer;

use super::{service::Spillover, track::TrackPeeked};
use crate::{
    hedge::{EveryRequest, HedgeLayer},
    peek::StreamPeekLayer,
    retry::RetryThrottledLayer,
    rewrite::RewriteRequestLayer,
    select::{EmptyResponse, PrioritySelectLayer, ThreadDraw, WhenExhausted},
    throttle::ThrottleTrackerLayer,
};

/// Makes the usual stack; see the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct SpilloverLayer<
    C = StatusClassifier,
    D = ThreadDraw,
    R = EmptyResponse,
    T = Weighted,
    F = EveryRequest,
> {
    pub(super) retry: RetryThrottledLayer<C>,
    pub(super) hedge: Option<HedgeLayer<C, F>>,
    pub(super) select: PrioritySelectLayer<D, R, T>,
    pub(super) tracker: ThrottleTrackerLayer<C>,
    pub(super) peek: StreamPeekLayer,
}

impl SpilloverLayer {
    /// Creates the stack in front of these backends, each layer with its defaults.
    pub fn new(pool: Pool) -> Self {
        Self {
            retry: RetryThrottledLayer::new(),
            hedge: None,
            select: PrioritySelectLayer::new(pool),
            tracker: ThrottleTrackerLayer::new(),
            peek: StreamPeekLayer::new(),
        }
    }
}

impl<C, D, R, T, F> SpilloverLayer<C, D, R, T, F> {
    /// Sets the options of [`RetryThrottledLayer`].
    pub fn retry(self, set: impl FnOnce(RetryThrottledLayer<C>) -> RetryThrottledLayer<C>) -> Self {
        Self {
            retry: set(self.retry),
            ..self
        }
    }

    /// Sends a slow request to a second backend as well. Default: not.
    pub fn hedge<F2>(
        self,
        hedge: HedgeLayer<StatusClassifier, F2>,
    ) -> SpilloverLayer<C, D, R, T, F2>
    where
        C: Clone,
    {
        SpilloverLayer {
            retry: self.retry,
            hedge: Some(hedge.with_classify(self.tracker.classify.clone())),
            select: self.select,
            tracker: self.tracker,
            peek: self.peek,
        }
    }

    /// Sets the options of [`PrioritySelectLayer`].
    pub fn select<D2, R2, T2>(
        self,
        set: impl FnOnce(PrioritySelectLayer<D, R, T>) -> PrioritySelectLayer<D2, R2, T2>,
    ) -> SpilloverLayer<C, D2, R2, T2, F> {
        SpilloverLayer {
            retry: self.retry,
            hedge: self.hedge,
            select: set(self.select),
            tracker: self.tracker,
            peek: self.peek,
        }
    }

    /// Sets the options of [`ThrottleTrackerLayer`].
    pub fn tracker(
        self,
        set: impl FnOnce(ThrottleTrackerLayer<C>) -> ThrottleTrackerLayer<C>,
    ) -> Self {
        Self {
            tracker: set(self.tracker),
            ..self
        }
    }

    /// Sets the options of [`StreamPeekLayer`].
    pub fn peek(self, set: impl FnOnce(StreamPeekLayer) -> StreamPeekLayer) -> Self {
        Self {
            peek: set(self.peek),
            ..self
        }
    }

    /// Decides by `classify` what an answer means, in every layer that asks.
    pub fn with_classify<U: Clone>(self, classify: U) -> SpilloverLayer<U, D, R, T, F> {
        SpilloverLayer {
            retry: self.retry.with_classify(classify.clone()),
            hedge: self
                .hedge
                .map(|hedge| hedge.with_classify(classify.clone())),
            select: self.select,
            tracker: self.tracker.with_classify(classify),
            peek: self.peek,
        }
    }
}

impl<S, C, D, R, T, F> Layer<S> for SpilloverLayer<C, D, R, T, F>
where
    S: Clone,
    C: Clone,
    D: Clone,
    R: Clone,
    T: Clone,
    F: Clone,
{
    type Service = Spillover<S, C, D, R, T, F>;

    fn layer(&self, inner: S) -> Self::Service {
        let tracker = self.tracker.layer(self.peek.read_refusals().layer(inner));
        let rewrite = RewriteRequestLayer::new().layer(TrackPeeked::new(tracker));
        let select = self.select.layer(rewrite);
        let mut retry = self.retry.clone();
        // A request that waits may ask a backend again.
        if !matches!(self.select.selector.when_exhausted, WhenExhausted::Wait(_)) {
            let backends = u32::try_from(self.select.selector.pool.backends().len()).ok();
            retry.policy.bounds.backends = backends.and_then(NonZeroU32::new);
        }
        let hedge = option_layer(self.hedge.clone()).layer(select);
        Spillover {
            inner: retry.layer(hedge),
        }
    }
}

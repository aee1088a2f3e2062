use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use spillover_core::{Attempts, Classify, StatusClassifier};
use tower::retry::budget::{Budget, TpsBudget};
use tower_service::Service;

use super::{EveryRequest, Filter, ResponseFuture, second::Template};

/// Sends a slow request to a second backend as well; see the [module](super).
///
/// [`HedgeLayer`](super::HedgeLayer) makes it.
#[derive(Clone, Debug)]
pub struct Hedge<S, C = StatusClassifier, F = EveryRequest> {
    inner: S,
    settings: Settings<C, F>,
}

/// The options of the layer. Clones share the budget.
#[derive(Clone, Debug)]
pub(crate) struct Settings<C, F> {
    pub(crate) delay: Duration,
    pub(super) budget: Arc<TpsBudget>,
    pub(super) classify: C,
    pub(super) filter: F,
}

impl<S, C, F> Hedge<S, C, F> {
    pub(super) fn new(inner: S, settings: Settings<C, F>) -> Self {
        Self { inner, settings }
    }

    inner_service_accessors!();
}

impl<S, C, F, ReqBody, ResBody> Service<Request<ReqBody>> for Hedge<S, C, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    C: Classify<S::Error> + Clone,
    F: Filter<ReqBody>,
    ReqBody: Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, C, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let classify = self.settings.classify.clone();
        if !self.settings.filter.allows(&request) {
            return ResponseFuture::alone(self.inner.call(request), classify);
        }
        self.settings.budget.deposit();
        let attempts = request.extensions_mut().get_or_insert_default::<Attempts>();
        let attempts = attempts.clone();
        // The ready service makes the first attempt. The clone is made ready before a second one.
        let template = Template {
            service: self.inner.clone(),
            request: request.clone(),
            attempts,
            budget: Arc::clone(&self.settings.budget),
        };
        ResponseFuture::hedged(
            self.inner.call(request),
            self.settings.delay,
            template,
            classify,
        )
    }
}

use std::{
    num::NonZeroU32,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use spillover_core::{Attempts, Classify, StatusClassifier};
use tower::retry::budget::TpsBudget;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    ReplayBody, ReplayLimits, ResponseFuture,
    state::{Policy, RetryState, Template},
};

/// Sends a refused request to the next backend; see the [module](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RetryThrottledLayer<C = StatusClassifier> {
    pub(crate) policy: Policy<C>,
    limits: ReplayLimits,
}

impl RetryThrottledLayer {
    /// Creates the layer. It retries until no backend is left, and keeps bodies within the default limits.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> RetryThrottledLayer<C> {
    /// Bounds the attempts of one request; 1 is the least. Default: as many as there are backends that would take it.
    ///
    /// An attempt that sends the request to the same backend once more, because the backend did not process it, does not count.
    ///
    /// A hedge counts if a backend was chosen for it, but is not held back by this bound: hedges have their own budget.
    pub fn max_attempts(mut self, max: u32) -> Self {
        self.policy.bounds.max_attempts = Some(NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN));
        self
    }

    /// Sets how long after the arrival of the request the last attempt may begin. Default: no bound.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.policy.bounds.deadline = Some(deadline);
        self
    }

    /// Sets the budget for more attempts of requests that are themselves retries of a client ([by their fields](spillover_core::layer::is_client_retry)), so
    /// that the client's retries and the ones of this layer do not multiply in an outage. Default: none.
    ///
    /// Requests that the client sends for the first time take nothing from it. Nothing is deposited, as that would cost each
    /// request a lock: only the budget's minimum per second counts.
    pub fn sdk_retry_budget(mut self, budget: TpsBudget) -> Self {
        self.policy.bounds.sdk_retry_budget = Some(Arc::new(budget));
        self
    }

    /// Sets how much of request bodies is kept for another attempt.
    pub fn replay_limits(self, limits: ReplayLimits) -> Self {
        Self { limits, ..self }
    }

    /// Decides by `classify` what an answer without an [`Outcome`](spillover_core::Outcome) means.
    pub fn with_classify<T>(self, classify: T) -> RetryThrottledLayer<T> {
        let bounds = self.policy.bounds;
        RetryThrottledLayer {
            policy: Policy { classify, bounds },
            limits: self.limits,
        }
    }
}

impl<S: Clone, C: Clone> Layer<S> for RetryThrottledLayer<C> {
    type Service = RetryThrottled<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryThrottled::new(inner, self.policy.clone(), self.limits.clone())
    }
}

/// Sends a refused request to the next backend; see the [module](super).
///
/// [`RetryThrottledLayer`] makes it.
#[derive(Clone, Debug)]
pub struct RetryThrottled<S, C = StatusClassifier> {
    inner: S,
    template: Arc<Template<S, C>>,
    limits: ReplayLimits,
    /// True if the inner service may differ from the template's by now.
    is_changed: bool,
}

impl<S: Clone, C> RetryThrottled<S, C> {
    pub(super) fn new(inner: S, policy: Policy<C>, limits: ReplayLimits) -> Self {
        Self {
            template: Template::new(&inner, policy),
            inner,
            limits,
            is_changed: false,
        }
    }
}

impl<S, C> RetryThrottled<S, C> {
    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        self.is_changed = true;
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for RetryThrottled<S, C>
where
    S: Service<Request<ReplayBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    C: Classify<S::Error> + Clone,
    ReqBody: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, C, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if self.is_changed {
            self.template = Template::new(&self.inner, self.template.policy.clone());
            self.is_changed = false;
        }
        let attempts = Attempts::new();
        let (head, body) = request.into_parts();
        let body = ReplayBody::with_attempts(body, self.limits.clone(), Some(attempts.clone()));
        let mut request = Request::from_parts(head, body);
        let state = RetryState::begin(&self.template, &request, &attempts);
        // Replaces the `Attempts` of an outer pool, which has other backends.
        request.extensions_mut().insert(attempts.clone());
        // The ready service makes the first attempt.
        ResponseFuture::new(self.inner.call(request), attempts, Some(state))
    }
}

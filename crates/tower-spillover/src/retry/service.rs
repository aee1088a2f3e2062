use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use spillover_core::{Classify, StatusClassifier, Tried};
use tower::retry::Retry;
use tower_service::Service;

use super::{ReplayBody, ReplayLimits, ResponseFuture, ThrottlePolicy};

/// Sends a refused request to the next backend; see the [module](super).
#[derive(Clone, Debug)]
pub struct RetryThrottled<S, C = StatusClassifier> {
    retry: Retry<ThrottlePolicy<C>, S>,
    limits: ReplayLimits,
}

impl<S, C> RetryThrottled<S, C> {
    /// Wraps a service.
    pub fn new(inner: S, policy: ThrottlePolicy<C>, limits: ReplayLimits) -> Self {
        Self {
            retry: Retry::new(policy, inner),
            limits,
        }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        self.retry.get_ref()
    }

    /// The inner service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        self.retry.get_mut()
    }

    /// The inner service; the rest is dropped.
    pub fn into_inner(self) -> S {
        self.retry.into_inner()
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
    type Future = ResponseFuture<S, C, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.retry.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // A new one even if there is one: that of an outer pool counts other backends.
        let tried = Tried::new();
        let mut request = request
            .map(|body| ReplayBody::with_tried(body, self.limits.clone(), Some(tried.clone())));
        request.extensions_mut().insert(tried.clone());
        ResponseFuture::new(self.retry.call(request), tried)
    }
}

use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use spillover_core::{Classify, StatusClassifier, Tried};
use tower::retry::Retry;
use tower_service::Service;

use super::{ReplayBody, ReplayLimits, ResponseFuture, ThrottlePolicy, attempt::Attempt};

/// Sends a refused request to the next backend; see the [module](super).
#[derive(Clone, Debug)]
pub struct RetryThrottled<S, C = StatusClassifier> {
    retry: Retry<ThrottlePolicy<C>, Attempt<S>>,
    limits: ReplayLimits,
}

impl<S, C> RetryThrottled<S, C> {
    /// Wraps a service.
    pub fn new(inner: S, policy: ThrottlePolicy<C>, limits: ReplayLimits) -> Self {
        Self {
            retry: Retry::new(policy, Attempt { inner }),
            limits,
        }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.retry.get_ref().inner
    }

    /// The inner service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.retry.get_mut().inner
    }

    /// The inner service; the rest is dropped.
    pub fn into_inner(self) -> S {
        self.retry.into_inner().inner
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
        let tried = Tried::new();
        let request = request
            .map(|body| ReplayBody::with_tried(body, self.limits.clone(), Some(tried.clone())));
        ResponseFuture::new(self.retry.call(request), tried)
    }
}

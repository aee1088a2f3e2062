use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use spillover_core::{Classify, StatusClassifier, Tried};
use tower_service::Service;

use super::{ReplayBody, ReplayLimits, ResponseFuture, ThrottlePolicy, again::Again, spare::Spare};

/// Sends a refused request to the next backend; see the [module](super).
#[derive(Clone, Debug)]
pub struct RetryThrottled<S, C = StatusClassifier> {
    inner: S,
    spare: Arc<Spare<S, C>>,
    limits: ReplayLimits,
    /// Whether the inner service may be another by now than the spare one.
    is_changed: bool,
}

impl<S, C> RetryThrottled<S, C> {
    /// Wraps a service.
    pub fn new(inner: S, policy: ThrottlePolicy<C>, limits: ReplayLimits) -> Self
    where
        S: Clone,
    {
        Self {
            spare: Arc::new(Spare::new(inner.clone(), policy)),
            inner,
            limits,
            is_changed: false,
        }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        self.is_changed = true;
        &mut self.inner
    }

    /// The inner service; the rest is dropped.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn renew_spare(&mut self)
    where
        S: Clone,
        C: Clone,
    {
        let policy = self.spare.policy.clone();
        self.spare = Arc::new(Spare::new(self.inner.clone(), policy));
        self.is_changed = false;
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
            self.renew_spare();
        }
        let tried = Tried::new();
        let (head, body) = request.into_parts();
        let body = ReplayBody::with_tried(body, self.limits.clone(), Some(tried.clone()));
        let mut request = Request::from_parts(head, body);
        let again = Again::begin(&self.spare, &request, &tried);
        // In place of one that is there: that of an outer pool counts other backends.
        request.extensions_mut().insert(tried.clone());
        // The ready service makes the first attempt.
        ResponseFuture::new(self.inner.call(request), tried, Some(again))
    }
}

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use spillover_core::{Attempts, Classify, StatusClassifier};
use tower_service::Service;

use super::{
    ReplayBody, ReplayLimits, ResponseFuture,
    state::{Policy, RetryState},
};

/// Sends a refused request to the next backend; see the [module](super).
///
/// [`RetryThrottledLayer`](super::RetryThrottledLayer) makes it.
#[derive(Clone, Debug)]
pub struct RetryThrottled<S, C = StatusClassifier> {
    inner: S,
    template: Arc<Template<S, C>>,
    limits: ReplayLimits,
    /// True if the inner service may differ from the template's by now.
    is_changed: bool,
}

/// The service that attempts after the first are made with.
///
/// All requests share it, because few are refused: a clone of the service for each request would change every counter that
/// clones share.
pub(super) struct Template<S, C> {
    pub(super) policy: Policy<C>,
    service: Mutex<S>,
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

impl<S: Clone, C> Template<S, C> {
    fn new(service: &S, policy: Policy<C>) -> Arc<Self> {
        Arc::new(Self {
            policy,
            service: Mutex::new(service.clone()),
        })
    }

    /// Returns a clone of the service, which is not ready.
    pub(super) fn service(&self) -> S {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        service.clone()
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
        // Replaces one of an outer pool, which counts other backends.
        request.extensions_mut().insert(attempts.clone());
        // The ready service makes the first attempt.
        ResponseFuture::new(self.inner.call(request), attempts, Some(state))
    }
}

impl<S, C: fmt::Debug> fmt::Debug for Template<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

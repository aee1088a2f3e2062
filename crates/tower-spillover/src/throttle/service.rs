use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use spillover_core::{Classify, Cooldowns, StatusClassifier};
use tower_service::Service;

use super::{Attempt, ResponseFuture};
use crate::body::GuardedBody;

/// Remembers what answers say about a backend; see the [module](super).
#[derive(Clone, Debug)]
pub struct ThrottleTracker<S, C = StatusClassifier> {
    inner: S,
    classify: C,
    cooldowns: Cooldowns,
}

impl<S, C> ThrottleTracker<S, C> {
    /// Wraps a service.
    pub fn new(inner: S, classify: C, cooldowns: Cooldowns) -> Self {
        Self {
            inner,
            classify,
            cooldowns,
        }
    }

    inner_service_accessors!();
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for ThrottleTracker<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: 'static,
    C: Classify<S::Error> + Clone,
    ResBody: Body,
{
    type Response = Response<GuardedBody<ResBody, Attempt>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let attempt = Attempt::begin(request.extensions());
        let future = self.inner.call(request);
        ResponseFuture::new(future, attempt, self.classify.clone(), self.cooldowns)
    }
}

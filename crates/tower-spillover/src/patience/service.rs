use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{AttemptLimit, ResponseFuture};

/// Bounds an attempt by a share of the time that the client waits; see the [module](super).
#[derive(Clone, Debug)]
pub struct Patience<S> {
    inner: S,
}

impl<S> Patience<S> {
    /// Wraps a service.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }

    inner_service_accessors!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Patience<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let limit = AttemptLimit::of(&request);
        ResponseFuture::new(self.inner.call(request), limit)
    }
}

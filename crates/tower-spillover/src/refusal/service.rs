use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::ResponseFuture;
use crate::body::ResumedBody;

/// Reads the bodies of refusals that are in doubt; see the [module](super).
#[derive(Clone, Debug)]
pub struct RefusalBody<S> {
    inner: S,
}

impl<S> RefusalBody<S> {
    /// Wraps a service.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }

    inner_service_accessors!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RefusalBody<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Error: Send> + Send + Unpin + 'static,
{
    type Response = Response<ResumedBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let attempt = extensions.get().cloned().zip(extensions.get().cloned());
        ResponseFuture::new(self.inner.call(request), attempt)
    }
}

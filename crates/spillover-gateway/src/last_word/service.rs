use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use spillover_proxy::error::ErrorFormat;
use tower::Service;

use super::ResponseFuture;
use crate::site::Names;

/// Finishes the responses of a pool; see the [module](super).
#[derive(Clone, Debug)]
pub(crate) struct LastWord<S> {
    inner: S,
    names: Arc<Names>,
}

impl<S> LastWord<S> {
    pub(super) fn new(inner: S, names: Arc<Names>) -> Self {
        Self { inner, names }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for LastWord<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let format = ErrorFormat::of_request(request.uri(), request.headers());
        ResponseFuture::new(self.inner.call(request), format, Arc::clone(&self.names))
    }
}

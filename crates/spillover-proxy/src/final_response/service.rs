use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::{ResponseFuture, fields::Fields};
use crate::error::ErrorFormat;

/// Service of [`FinalResponseLayer`](super::FinalResponseLayer).
#[derive(Clone, Debug)]
pub struct FinalResponse<S> {
    inner: S,
    fields: Arc<Fields>,
}

impl<S> FinalResponse<S> {
    pub(super) fn new(inner: S, fields: Arc<Fields>) -> Self {
        Self { inner, fields }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for FinalResponse<S>
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
        ResponseFuture::new(self.inner.call(request), format, Arc::clone(&self.fields))
    }
}

//! One line per request: whose it was, which backend of which pool served it, after how many attempts, with what status, in
//! what time.

mod body;
mod future;
mod record;

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower::{Layer, Service};

pub(crate) use self::{body::LoggedBody, record::Progress};
use self::{future::ResponseFuture, record::Record};

/// Logs each request at level `INFO` when its response has ended, or was given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessLogLayer;

impl AccessLogLayer {
    pub(crate) fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> AccessLog<S> {
        AccessLog { inner }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AccessLog<S> {
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for AccessLog<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible>,
    ResBody: Body,
{
    type Response = Response<LoggedBody<ResBody>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let record = tracing::enabled!(tracing::Level::INFO).then(|| Record::begin(&mut request));
        ResponseFuture::new(self.inner.call(request), record)
    }
}

use std::{
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{PeekedBody, ResponseFuture, attempt::Attempt, layer::Limits};
use crate::coding::offer_readable;

/// Holds a stream until its first content; see the [module](super).
#[derive(Clone, Debug)]
pub struct StreamPeek<S> {
    inner: S,
    limits: Limits,
    first_token: Option<Duration>,
}

impl<S> StreamPeek<S> {
    pub(super) fn new(inner: S, limits: Limits, first_token: Option<Duration>) -> Self {
        Self {
            inner,
            limits,
            first_token,
        }
    }

    inner_service_accessors!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for StreamPeek<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body + Unpin,
{
    type Response = Response<PeekedBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let attempt = Attempt::begin(request.extensions(), self.first_token);
        offer_readable(request.headers_mut());
        ResponseFuture::new(self.inner.call(request), self.limits, attempt)
    }
}

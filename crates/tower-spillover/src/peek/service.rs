use std::{
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{PeekedBody, ResponseFuture, attempt::Attempt, hold::Limits};
use crate::coding::offer_readable;

/// Reads the beginning of answers that leave in doubt how an attempt went.
///
/// [`StreamPeekLayer`](super::StreamPeekLayer) makes one for streams, and `ReadRefusalLayer` (feature `refusal`) one for
/// refusals. One service can do both: see [`StreamPeekLayer::read_refusals`](super::StreamPeekLayer::read_refusals).
#[derive(Clone, Debug)]
pub struct Peek<S> {
    inner: S,
    /// `None` if streams pass through.
    streams: Option<Streams>,
    reads_refusals: bool,
}

/// The options for streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) limits: Limits,
    pub(crate) first_token: Option<Duration>,
}

impl<S> Peek<S> {
    pub(crate) fn new(inner: S, streams: Option<Streams>, reads_refusals: bool) -> Self {
        Self {
            inner,
            streams,
            reads_refusals,
        }
    }

    inner_service_accessors!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Peek<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Error: Send> + Send + Unpin + 'static,
{
    type Response = Response<PeekedBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let first_token = self.streams.and_then(|streams| streams.first_token);
        let attempt = Attempt::begin(request.extensions(), first_token);
        if self.streams.is_some() {
            offer_readable(request.headers_mut());
        }
        let limits = self.streams.map(|streams| streams.limits);
        // A file that a client reads may be anything, and says nothing about the backend.
        let reads_json = *request.method() == Method::POST;
        ResponseFuture::new(
            self.inner.call(request),
            limits,
            reads_json,
            self.reads_refusals,
            attempt,
        )
    }
}

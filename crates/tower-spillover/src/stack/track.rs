use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use spillover_core::Classify;
use tower_service::Service;

use super::ResponseBody;
use crate::{
    peek::{Peek, PeekedBody},
    throttle::{self, ThrottleTracker},
};

/// A [`ThrottleTracker`] over a [`Peek`], with one response body for both.
#[derive(Clone, Debug)]
#[expect(unnameable_types, reason = "a part of the stack that users do not see")]
pub struct TrackPeeked<S, C> {
    inner: ThrottleTracker<Peek<S>, C>,
}

impl<S, C> TrackPeeked<S, C> {
    pub(super) fn new(inner: ThrottleTracker<Peek<S>, C>) -> Self {
        Self { inner }
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for TrackPeeked<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: 'static,
    C: Classify<S::Error> + Clone,
    ResBody: Body<Error: Send> + Send + Unpin + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = TrackFuture<<Peek<S> as Service<Request<ReqBody>>>::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        TrackFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The recorded answer of an attempt.
    pub struct TrackFuture<F, C> {
        #[pin]
        inner: throttle::ResponseFuture<F, C>,
    }
}

impl<F, C, B, E> Future for TrackFuture<F, C>
where
    F: Future<Output = Result<Response<PeekedBody<B>>, E>>,
    C: Classify<E>,
    E: 'static,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll_recorded(cx, ResponseBody::new)
    }
}

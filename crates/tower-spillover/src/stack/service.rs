use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use spillover_core::{Classify, StatusClassifier, Strategy, Weighted};
use tower::util::Either;
use tower_service::Service;

use super::track::TrackPeeked;
use crate::{
    hedge::{EveryRequest, Filter, Hedge},
    peek::PeekedBody,
    retry::{ReplayBody, RetryThrottled},
    rewrite::RewriteRequest,
    select::{Draw, EmptyResponse, PrioritySelect, ResponseForExhausted, ThreadDraw},
    throttle::Attempt,
};

/// The usual stack over the service `S`; see the [module](super).
#[derive(Clone, Debug)]
pub struct Spillover<
    S,
    C = StatusClassifier,
    D = ThreadDraw,
    R = EmptyResponse,
    T = Weighted,
    F = EveryRequest,
> {
    pub(super) inner: Layers<S, C, D, R, T, F>,
}

/// The services of the stack.
pub(super) type Layers<S, C, D, R, T, F> =
    RetryThrottled<Either<Hedge<Select<S, C, D, R, T>, C, F>, Select<S, C, D, R, T>>, C>;

type Select<S, C, D, R, T> = PrioritySelect<RewriteRequest<TrackPeeked<S, C>>, D, R, T>;

impl<S, C, D, R, T, F, ReqBody, ResBody> Service<Request<ReqBody>> for Spillover<S, C, D, R, T, F>
where
    S: Service<Request<ReplayBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    S::Error: 'static,
    C: Classify<S::Error> + Clone,
    D: Draw + Clone,
    R: ResponseForExhausted<ResponseBody<ResBody>> + Clone,
    T: Strategy + Clone + Sync,
    F: Filter<ReplayBody<ReqBody>> + Clone,
    ReqBody: Body,
    ResBody: Body<Error: Send> + Send + Unpin + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<<Layers<S, C, D, R, T, F> as Service<Request<ReqBody>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        ResponseFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The answer of the last attempt, or the refusal that helps the client most.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for ResponseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of the responses of the stack over a service whose responses have the body `B`.
    ///
    /// The default is empty, also where `B` has no default.
    #[derive(Debug)]
    pub struct ResponseBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: PeekedBody<B, Attempt>,
    }
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn new(body: PeekedBody<B>, attempt: Option<Attempt>) -> Self {
        Self {
            inner: body.guarded(attempt),
        }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body> From<Bytes> for ResponseBody<B> {
    fn from(data: Bytes) -> Self {
        Self { inner: data.into() }
    }
}

impl<B: Body> Default for ResponseBody<B> {
    fn default() -> Self {
        Self {
            inner: PeekedBody::default(),
        }
    }
}

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use spillover_core::{Classify, Exhausted, StatusClassifier, Strategy, Weighted};
use tower::util::Either;
use tower_service::Service;

use crate::{
    body::GuardedBody,
    hedge::{EveryRequest, Filter, Hedge},
    peek::{Peek, PeekedBody},
    retry::{ReplayBody, RetryThrottled},
    rewrite::RewriteRequest,
    select::{Draw, EmptyResponse, PrioritySelect, ResponseForExhausted, ThreadDraw},
    throttle::{Attempt, ThrottleTracker},
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

type Select<S, C, D, R, T> =
    PrioritySelect<RewriteRequest<ThrottleTracker<Peek<S>, C>>, D, UnwrapBody<R>, T>;

type InnerBody<B> = GuardedBody<PeekedBody<B>, Attempt>;

/// Makes the response that the inner layers take from one that the user makes.
#[derive(Clone, Debug)]
#[expect(unnameable_types, reason = "a part of the stack that users do not see")]
pub struct UnwrapBody<R> {
    pub(super) response: R,
}

impl<R, B: Body> ResponseForExhausted<InnerBody<B>> for UnwrapBody<R>
where
    R: ResponseForExhausted<ResponseBody<B>>,
{
    fn response_for(&self, exhausted: &Exhausted, request: &Parts) -> Response<InnerBody<B>> {
        let response = self.response.response_for(exhausted, request);
        response.map(|body| body.inner)
    }
}

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

impl<F, B: Body, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<InnerBody<B>>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(|inner| ResponseBody { inner })))
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
        inner: InnerBody<B>,
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
            inner: InnerBody::default(),
        }
    }
}

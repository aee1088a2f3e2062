use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use spillover_core::{Classify, Tried};
use tower::retry;
use tower_service::Service;

use super::{ReplayBody, ThrottlePolicy, attempt::Attempt};

pin_project! {
    /// The answer of the last attempt.
    pub struct ResponseFuture<S, C, ReqBody, ResBody>
    where
        S: Service<Request<ReplayBody<ReqBody>>, Response = Response<ResBody>>,
        C: Classify<S::Error>,
    {
        #[pin]
        inner: retry::future::ResponseFuture<ThrottlePolicy<C>, Attempt<S>, Request<ReplayBody<ReqBody>>>,
        tried: Option<Tried>,
    }
}

impl<S, C, ReqBody, ResBody> ResponseFuture<S, C, ReqBody, ResBody>
where
    S: Service<Request<ReplayBody<ReqBody>>, Response = Response<ResBody>>,
    C: Classify<S::Error>,
{
    pub(super) fn new(
        inner: retry::future::ResponseFuture<
            ThrottlePolicy<C>,
            Attempt<S>,
            Request<ReplayBody<ReqBody>>,
        >,
        tried: Tried,
    ) -> Self {
        Self {
            inner,
            tried: Some(tried),
        }
    }
}

impl<S, C, ReqBody, ResBody> Future for ResponseFuture<S, C, ReqBody, ResBody>
where
    S: Service<Request<ReplayBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    C: Classify<S::Error> + Clone,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut result = ready!(this.inner.poll(cx));
        if let Ok(response) = &mut result
            && let Some(tried) = this.tried.take()
        {
            response.extensions_mut().insert(tried);
        }
        Poll::Ready(result)
    }
}

impl<S, C, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, C, ReqBody, ResBody>
where
    S: Service<Request<ReplayBody<ReqBody>>, Response = Response<ResBody>>,
    C: Classify<S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

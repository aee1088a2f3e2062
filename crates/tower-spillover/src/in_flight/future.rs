use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::InFlightPlace;
use crate::body::{GuardedBody, GuardedFuture};

pin_project! {
    /// The answer of the inner service, whose body holds its place at the backend.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: GuardedFuture<F, InFlightPlace>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, place: Option<InFlightPlace>) -> Self {
        Self {
            inner: GuardedFuture::new(inner, place),
        }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Body,
{
    type Output = Result<Response<GuardedBody<ResBody, InFlightPlace>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use super::{IdleBody, body::End};

pin_project! {
    /// The response, with bounds on its body.
    pub(crate) struct ResponseFuture<F> {
        #[pin]
        inner: F,
        limit: Option<Duration>,
        end: Option<End>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, limit: Option<Duration>, end: Option<End>) -> Self {
        Self { inner, limit, end }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<IdleBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let (limit, end) = match response.status() {
            // What follows is no response, and lasts for as long as both sides want.
            StatusCode::SWITCHING_PROTOCOLS => (None, None),
            _ => (*this.limit, this.end.take()),
        };
        Poll::Ready(Ok(response.map(|body| IdleBody::new(body, limit, end))))
    }
}

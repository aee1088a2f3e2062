use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use super::{IdleTimeoutBody, body::BodyDeadline};

pin_project! {
    /// Response future of [`IdleTimeout`](super::IdleTimeout).
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        limit: Option<Duration>,
        end: Option<BodyDeadline>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, limit: Option<Duration>, end: Option<BodyDeadline>) -> Self {
        Self { inner, limit, end }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<IdleTimeoutBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let (limit, end) = match response.status() {
            // The bytes after an upgrade have no timeouts.
            StatusCode::SWITCHING_PROTOCOLS => (None, None),
            _ => (*this.limit, this.end.take()),
        };
        Poll::Ready(Ok(
            response.map(|body| IdleTimeoutBody::new(body, limit, end))
        ))
    }
}

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use super::{BodyTimer, IdleTimeoutBody};

pin_project! {
    /// Response future of [`IdleTimeout`](super::IdleTimeout).
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        // `None` once the response is there.
        timer: Option<BodyTimer>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, timer: BodyTimer) -> Self {
        Self {
            inner,
            timer: Some(timer),
        }
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
        let timer = match response.status() {
            // The bytes after an upgrade have no timeouts.
            StatusCode::SWITCHING_PROTOCOLS => BodyTimer::unlimited(),
            _ => this.timer.take().expect("polled after completion"),
        };
        Poll::Ready(Ok(response.map(|body| IdleTimeoutBody::new(body, timer))))
    }
}

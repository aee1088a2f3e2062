use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use http::Response;
use hyper_util::client::legacy;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_spillover::Selected;

use super::error::UpstreamError;
use crate::dialect::Dialect;

pin_project! {
    /// The response of the backend, or one in its place.
    pub(crate) struct ResponseFuture {
        #[pin]
        response: legacy::ResponseFuture,
        #[pin]
        sleep: Sleep,
        timeout: Duration,
        selected: Option<Selected>,
        dialect: Dialect,
    }
}

impl ResponseFuture {
    pub(super) fn new(
        response: legacy::ResponseFuture,
        timeout: Duration,
        selected: Option<Selected>,
        dialect: Dialect,
    ) -> Self {
        Self {
            response,
            sleep: sleep(timeout),
            timeout,
            selected,
            dialect,
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let error = match this.response.poll(cx) {
            Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response.map(Body::new))),
            Poll::Ready(Err(error)) => UpstreamError::from(error),
            Poll::Pending if this.sleep.poll(cx).is_ready() => {
                UpstreamError::timeout(*this.timeout)
            }
            Poll::Pending => return Poll::Pending,
        };
        let backend = this
            .selected
            .as_ref()
            .map(|selected| selected.backend().label());
        tracing::warn!(backend, error = error.detail(), "attempt failed");
        Poll::Ready(Ok(this.dialect.response(&error.into_client_error())))
    }
}

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use http::Response;
use pin_project_lite::pin_project;

use super::{body::LoggedBody, record::Record};

pin_project! {
    /// The response; its body carries the record on.
    pub(crate) struct ResponseFuture<F> {
        #[pin]
        inner: F,
        record: Option<Record>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, record: Option<Record>) -> Self {
        Self { inner, record }
    }
}

impl<F> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.inner.poll(cx));
        let Some(mut record) = this.record.take() else {
            return Poll::Ready(Ok(response));
        };
        record.answered(&response);
        let response = response.map(|body| Body::new(LoggedBody::new(body, record)));
        Poll::Ready(Ok(response))
    }
}

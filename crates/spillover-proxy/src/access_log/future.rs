use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{body::LoggedBody, record::Record};

pin_project! {
    /// Response future of [`AccessLog`](super::AccessLog).
    pub struct ResponseFuture<F> {
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

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body,
{
    type Output = Result<Response<LoggedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.inner.poll(cx));
        let mut record = this.record.take();
        if let Some(record) = &mut record {
            record.set_response(&response);
        }
        let response = response.map(|body| LoggedBody::new(body, record));
        Poll::Ready(Ok(response))
    }
}

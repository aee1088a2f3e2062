use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, header::SET_COOKIE};
use pin_project_lite::pin_project;
use spillover_core::Selected;

use super::{LearnBody, cookie::NewCookie, ids::KnownIds, learn::Lesson};

pin_project! {
    /// The response, with the cookie; its body is read for an id.
    pub(crate) struct ResponseFuture<F> {
        #[pin]
        inner: F,
        cookie: Option<NewCookie>,
        ids: Option<KnownIds>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, cookie: Option<NewCookie>, ids: Option<KnownIds>) -> Self {
        Self { inner, cookie, ids }
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<LearnBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.inner.poll(cx));
        if let Some(field) = this.cookie.take().and_then(NewCookie::into_field) {
            response.headers_mut().append(SET_COOKIE, field);
        }
        let ids = this.ids.take().filter(|_| KnownIds::has_made(&response));
        let selected = response.extensions().get::<Selected>().cloned();
        let lesson = ids
            .zip(selected)
            .map(|(ids, selected)| Lesson::new(ids, selected));
        Poll::Ready(Ok(response.map(|body| LearnBody::new(body, lesson))))
    }
}

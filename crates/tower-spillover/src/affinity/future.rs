use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    Response,
    header::{CONTENT_ENCODING, SET_COOKIE},
};
use pin_project_lite::pin_project;
use spillover_core::Selected;

use super::{KnownIds, ObserveIdBody, body::IdObserver, cookie::NewCookie};

pin_project! {
    /// The response of the inner service, with the affinity cookie and a body whose id is observed.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        cookie: Option<NewCookie>,
        // `None` if ids are not a configured key.
        known_ids: Option<KnownIds>,
        creates_object: bool,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, cookie: Option<NewCookie>, known_ids: Option<KnownIds>) -> Self {
        Self {
            inner,
            cookie,
            known_ids,
            creates_object: false,
        }
    }

    /// Reads the id of the object that the response creates.
    pub(super) fn observe_id(self) -> Self {
        Self {
            creates_object: true,
            ..self
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ObserveIdBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(field) = this.cookie.take().and_then(NewCookie::into_field) {
            response.headers_mut().append(SET_COOKIE, field);
        }
        let selected = response.extensions().get::<Selected>();
        let observer = this
            .known_ids
            .take()
            .zip(selected)
            .and_then(|(ids, selected)| {
                ids.record_urls(&response, selected.backend());
                let is_observed = *this.creates_object && is_readable(&response);
                is_observed.then(|| IdObserver::new(ids, selected.clone()))
            });
        Poll::Ready(Ok(response.map(|body| ObserveIdBody::new(body, observer))))
    }
}

/// Returns true if the body can have the id of an object that was created.
fn is_readable<B>(response: &Response<B>) -> bool {
    response.status().is_success() && !response.headers().contains_key(CONTENT_ENCODING)
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// What is held for a request, and given back by dropping it.
pub(crate) trait Guard {
    /// The body failed. The guard is dropped next.
    fn broke(&self) {}
}

pin_project! {
    /// A response body that holds something for its request until it ends, fails or is dropped. It passes through unchanged.
    pub struct GuardedBody<B, G> {
        // `None` for one that is empty.
        #[pin]
        inner: Option<B>,
        guard: Option<G>,
    }
}

impl<B: Body, G> GuardedBody<B, G> {
    pub(crate) fn new(inner: B, guard: Option<G>) -> Self {
        // One that has ended may not be polled any more.
        let guard = guard.filter(|_| !inner.is_end_stream());
        Self {
            inner: Some(inner),
            guard,
        }
    }
}

impl<B: Body, G: Guard> Body for GuardedBody<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(mut inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(inner.as_mut().poll_frame(cx));
        let is_end = match &frame {
            Some(Ok(frame)) => frame.is_trailers() || inner.is_end_stream(),
            Some(Err(_)) => {
                this.guard.iter().for_each(Guard::broke);
                true
            }
            None => true,
        };
        if is_end {
            *this.guard = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let empty = || SizeHint::with_exact(0);
        self.inner.as_ref().map_or_else(empty, B::size_hint)
    }
}

/// One that holds nothing.
impl<B: From<Bytes>, G> From<Bytes> for GuardedBody<B, G> {
    fn from(data: Bytes) -> Self {
        Self {
            inner: Some(data.into()),
            guard: None,
        }
    }
}

/// An empty one that holds nothing, also where `B` has none.
impl<B, G> Default for GuardedBody<B, G> {
    fn default() -> Self {
        Self {
            inner: None,
            guard: None,
        }
    }
}

impl<B, G> fmt::Debug for GuardedBody<B, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedBody")
            .field("is_held", &self.guard.is_some())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Holds it until there is a body to hold it, or none will come.
    pub(crate) struct GuardedFuture<F, G> {
        #[pin]
        inner: F,
        guard: Option<G>,
    }
}

impl<F, G> GuardedFuture<F, G> {
    pub(crate) fn new(inner: F, guard: Option<G>) -> Self {
        Self { inner, guard }
    }
}

impl<F, G, ResBody, E> Future for GuardedFuture<F, G>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Body,
{
    type Output = Result<Response<GuardedBody<ResBody, G>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        // Given back also by a future that failed and is kept.
        let guard = this.guard.take();
        Poll::Ready(result.map(|response| response.map(|body| GuardedBody::new(body, guard))))
    }
}

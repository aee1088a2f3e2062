//! The response body that the layers share which hold something for a request.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::guard::{Guard, release_at_end};

pin_project! {
    /// A response body that holds a guard until it ends, fails or is dropped. Its frames pass through unchanged.
    ///
    /// The guard is an [attempt](crate::throttle::Attempt) at a backend or a [permit](crate::limit::Permit). The default is an
    /// empty body without a guard, also where `B` has no default.
    pub struct GuardedBody<B, G> {
        // `None` for an empty body.
        #[pin]
        inner: Option<B>,
        guard: Option<G>,
    }
}

impl<B: Body, G> GuardedBody<B, G> {
    pub(crate) fn new(inner: B, guard: Option<G>) -> Self {
        // A body that has ended may never be polled.
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

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(mut inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(inner.as_mut().poll_frame(cx));
        release_at_end(this.guard, frame.as_ref(), inner.is_end_stream());
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

/// Creates a body without a guard.
impl<B: From<Bytes>, G> From<Bytes> for GuardedBody<B, G> {
    fn from(data: Bytes) -> Self {
        Self {
            inner: Some(data.into()),
            guard: None,
        }
    }
}

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

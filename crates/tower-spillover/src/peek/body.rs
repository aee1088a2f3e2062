use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::watch::Watch;
use crate::body::ResumedBody;

pin_project! {
    /// A response body of which the beginning may have been held, or an error in its place.
    pub struct PeekedBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: ResumedBody<B>,
        // Boxed, because only streams are watched.
        watch: Option<Box<Watch>>,
    }
}

impl<B: Body> PeekedBody<B> {
    pub(super) fn new(inner: ResumedBody<B>, watch: Option<Box<Watch>>) -> Self {
        Self { inner, watch }
    }

    pub(super) fn untouched(inner: B) -> Self {
        Self::new(ResumedBody::untouched(inner), None)
    }
}

impl<B: Body> Body for PeekedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        // One that has ended may not be polled any more.
        if let Some(watch) = this.watch
            && watch.look(frame.as_ref(), this.inner.is_end_stream())
        {
            *this.watch = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Another one in its place, which is all there.
impl<B: Body> From<Bytes> for PeekedBody<B> {
    fn from(data: Bytes) -> Self {
        Self::new(data.into(), None)
    }
}

/// An empty one, also where `B` has none.
impl<B: Body> Default for PeekedBody<B> {
    fn default() -> Self {
        Self::new(ResumedBody::default(), None)
    }
}

impl<B: Body> fmt::Debug for PeekedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekedBody")
            .field("inner", &self.inner)
            .field("is_watched", &self.watch.is_some())
            .finish()
    }
}

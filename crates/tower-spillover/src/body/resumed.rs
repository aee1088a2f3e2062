#[cfg(feature = "refusal")]
use std::borrow::Cow;
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// A response body of which the beginning may have been read: it comes again, unchanged, before the rest.
    ///
    /// It may also be one that was put in its place.
    pub struct ResumedBody<B>
    where
        B: Body,
    {
        // Boxed, because few bodies are read: the rest carries a pointer.
        read: Option<Box<Read<B>>>,
        // `None` for one that was replaced, or is empty.
        #[pin]
        inner: Option<B>,
    }
}

/// What was read of a body.
pub(crate) struct Read<B: Body> {
    frames: VecDeque<Frame<Bytes>>,
    /// Of data in the frames.
    len: usize,
    error: Option<B::Error>,
    is_end: bool,
    /// The body while it may be read on elsewhere; the other fields are empty then.
    shared: Option<SharedBody<B>>,
}

type PolledFrame<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

/// A body that is on its way, and may be read ahead meanwhile.
pub(crate) struct SharedBody<B: Body> {
    body: Arc<Mutex<Pin<Box<ResumedBody<B>>>>>,
}

impl<B: Body> ResumedBody<B> {
    pub(crate) fn untouched(inner: B) -> Self {
        Self {
            read: None,
            inner: Some(inner),
        }
    }

    #[cfg(any(feature = "peek", test))]
    pub(crate) fn resumed(read: Read<B>, inner: B) -> Self {
        Self {
            read: Some(Box::new(read)),
            inner: Some(inner),
        }
    }
}

#[cfg(feature = "refusal")]
impl<B: Body + Unpin> ResumedBody<B> {
    /// Reads ahead until this much has come, or the end.
    pub(crate) fn poll_ahead(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<()> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(());
        };
        let read = self.read.get_or_insert_with(|| Box::new(Read::new()));
        while !read.is_end && !inner.is_end_stream() && read.len < limit {
            match Pin::new(&mut *inner).poll_frame(cx) {
                Poll::Ready(frame) => read.push(frame),
                Poll::Pending => return Poll::Pending,
            };
        }
        Poll::Ready(())
    }

    /// The data that was read ahead, at most `limit` bytes.
    pub(crate) fn data(&self, limit: usize) -> Cow<'_, [u8]> {
        let read = self.read.as_ref();
        read.map_or(Cow::Borrowed(&[]), |read| read.data(limit))
    }

    /// The same body, and a handle to read it ahead while it is on its way.
    pub(crate) fn share(self) -> (Self, SharedBody<B>) {
        let body = Arc::new(Mutex::new(Box::pin(self)));
        let mut read = Read::new();
        read.shared = Some(SharedBody {
            body: Arc::clone(&body),
        });
        let shared = Self {
            read: Some(Box::new(read)),
            inner: None,
        };
        (shared, SharedBody { body })
    }
}

impl<B: Body> SharedBody<B> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Pin<Box<ResumedBody<B>>>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Body> Read<B> {
    pub(crate) fn new() -> Self {
        Self {
            frames: VecDeque::new(),
            len: 0,
            error: None,
            is_end: false,
            shared: None,
        }
    }

    /// Keeps what the body yielded; whether there may be more.
    pub(crate) fn push(&mut self, frame: Option<Result<Frame<B::Data>, B::Error>>) -> bool {
        match frame {
            Some(Ok(frame)) => {
                self.push_frame(into_bytes(frame));
                return true;
            }
            Some(Err(error)) => self.error = Some(error),
            None => {}
        }
        self.is_end = true;
        false
    }

    /// The frame that came last.
    #[cfg(feature = "peek")]
    pub(crate) fn last(&self) -> Option<&Frame<Bytes>> {
        self.frames.back()
    }

    /// How many bytes of data were read.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The data that was read, at most `limit` bytes of it. In place, where it came in one piece.
    #[cfg(feature = "refusal")]
    pub(crate) fn data(&self, limit: usize) -> Cow<'_, [u8]> {
        let mut chunks = self.frames.iter().filter_map(Frame::data_ref);
        let first = chunks.next().map_or(&[][..], |chunk| chunk);
        let mut data = Cow::Borrowed(&first[..first.len().min(limit)]);
        for chunk in chunks {
            let room = limit - data.len();
            data.to_mut()
                .extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        data
    }

    /// The next frame, if it is not one of the rest of the body.
    #[cold]
    fn poll_ahead_of_rest(&mut self, cx: &mut Context<'_>) -> Option<PolledFrame<B::Error>> {
        if let Some(shared) = &self.shared {
            return Some(shared.lock().as_mut().poll_frame(cx));
        }
        if let Some(frame) = self.pop_frame() {
            return Some(Poll::Ready(Some(Ok(frame))));
        }
        self.is_end.then(|| Poll::Ready(self.error.take().map(Err)))
    }

    /// Returns whether the body is at its end; `None` if that depends on the rest of it.
    #[cold]
    fn is_end_stream(&self) -> Option<bool> {
        if let Some(shared) = &self.shared {
            return Some(shared.lock().is_end_stream());
        }
        if !self.frames.is_empty() || self.error.is_some() {
            return Some(false);
        }
        self.is_end.then_some(true)
    }

    #[cold]
    fn size_hint(&self, rest: Option<&B>) -> SizeHint {
        if let Some(shared) = &self.shared {
            return shared.lock().size_hint();
        }
        let mut hint = match rest {
            Some(rest) if !self.is_end => rest.size_hint(),
            _ => SizeHint::with_exact(0),
        };
        // Upper first: the lower bound may not exceed it.
        let ahead = self.len as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint.set_lower(hint.lower().saturating_add(ahead));
        hint
    }

    fn push_frame(&mut self, frame: Frame<Bytes>) {
        self.len += frame.data_ref().map_or(0, Bytes::len);
        self.frames.push_back(frame);
    }

    fn pop_frame(&mut self) -> Option<Frame<Bytes>> {
        let frame = self.frames.pop_front()?;
        self.len -= frame.data_ref().map_or(0, Bytes::len);
        Some(frame)
    }
}

impl<B: Body> Body for ResumedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if let Some(read) = this.read
            && let Some(frame) = read.poll_ahead_of_rest(cx)
        {
            return frame;
        }
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = inner.poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map(into_bytes)))
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        let is_end = self.read.as_ref().and_then(|read| read.is_end_stream());
        is_end.unwrap_or_else(|| self.inner.as_ref().is_none_or(B::is_end_stream))
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match (&self.read, &self.inner) {
            (None, Some(inner)) => inner.size_hint(),
            (None, None) => SizeHint::with_exact(0),
            (Some(read), inner) => read.size_hint(inner.as_ref()),
        }
    }
}

/// Another one in its place, which is all there.
impl<B: Body> From<Bytes> for ResumedBody<B> {
    fn from(data: Bytes) -> Self {
        let mut read = Read::new();
        if !data.is_empty() {
            read.push_frame(Frame::data(data));
        }
        Self {
            read: Some(Box::new(read)),
            inner: None,
        }
    }
}

/// An empty one, also where `B` has none.
impl<B: Body> Default for ResumedBody<B> {
    fn default() -> Self {
        Self {
            read: None,
            inner: None,
        }
    }
}

fn into_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

impl<B: Body> fmt::Debug for ResumedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumedBody")
            .field("read", &self.read.as_ref().map(|read| read.len()))
            .finish_non_exhaustive()
    }
}

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// A response body of which the beginning may have been read: it comes again, unchanged, before the rest.
    pub struct ResumedBody<B>
    where
        B: Body,
    {
        // Boxed, because only what refuses is read: the rest carries a pointer.
        read: Option<Box<Read<B>>>,
        #[pin]
        inner: B,
    }
}

/// What was read of a body.
pub(super) struct Read<B: Body> {
    frames: VecDeque<Frame<Bytes>>,
    error: Option<B::Error>,
    is_end: bool,
}

impl<B: Body> ResumedBody<B> {
    pub(super) fn untouched(inner: B) -> Self {
        Self { read: None, inner }
    }

    pub(super) fn resumed(read: Read<B>, inner: B) -> Self {
        Self {
            read: Some(Box::new(read)),
            inner,
        }
    }
}

impl<B: Body> Read<B> {
    pub(super) fn new() -> Self {
        Self {
            frames: VecDeque::new(),
            error: None,
            is_end: false,
        }
    }

    /// Keeps what the body yielded; whether there may be more.
    pub(super) fn push(&mut self, frame: Option<Result<Frame<B::Data>, B::Error>>) -> bool {
        match frame {
            Some(Ok(frame)) => {
                self.frames.push_back(into_bytes(frame));
                return true;
            }
            Some(Err(error)) => self.error = Some(error),
            None => {}
        }
        self.is_end = true;
        false
    }

    /// How many bytes of data were read.
    pub(super) fn len(&self) -> usize {
        self.data().map(Bytes::len).sum()
    }

    /// The data that was read, at most `limit` bytes of it.
    pub(super) fn to_vec(&self, limit: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.data().flatten().copied().take(limit).collect();
        bytes.shrink_to_fit();
        bytes
    }

    fn data(&self) -> impl Iterator<Item = &Bytes> {
        self.frames.iter().filter_map(Frame::data_ref)
    }
}

impl<B: Body> Body for ResumedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if let Some(read) = this.read {
            if let Some(frame) = read.frames.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if read.is_end {
                return Poll::Ready(read.error.take().map(Err));
            }
        }
        let frame = this.inner.poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map(into_bytes)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.read {
            Some(read) if !read.frames.is_empty() || read.error.is_some() => false,
            Some(read) if read.is_end => true,
            _ => self.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let Some(read) = &self.read else {
            return self.inner.size_hint();
        };
        let ahead = read.len() as u64;
        let mut hint = match read.is_end {
            true => SizeHint::with_exact(0),
            false => self.inner.size_hint(),
        };
        // Upper first: the lower bound may not exceed it.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint.set_lower(hint.lower().saturating_add(ahead));
        hint
    }
}

impl<B: Body + Default> Default for ResumedBody<B> {
    fn default() -> Self {
        Self::untouched(B::default())
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

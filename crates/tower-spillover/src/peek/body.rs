use std::{
    borrow::Cow,
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::late_error::LateErrorWatch;
use crate::guard::{Guard, release_at_end};

pin_project! {
    /// A response body whose beginning may have been read ahead. It yields what was read, unchanged, and then the rest.
    ///
    /// It may hold a guard of its request until it ends, fails or is dropped: in the [stack](crate::stack) that is the attempt.
    ///
    /// [`From<Bytes>`] makes a body that replaces one of the inner service. The default is empty, also where `B` has no default.
    pub struct PeekedBody<B, G = ()>
    where
        B: Body,
    {
        // Boxed, because few bodies are read ahead.
        prefix: Option<Box<Prefix<B>>>,
        // `None` for a body that was replaced, is shared or is empty.
        #[pin]
        inner: Option<B>,
        // Boxed, because only streams are watched.
        watch: Option<Box<LateErrorWatch>>,
        guard: Option<G>,
    }
}

/// The frames that were read ahead of a body.
pub(super) struct Prefix<B: Body> {
    frames: VecDeque<Frame<Bytes>>,
    /// The bytes of data in the frames.
    len: usize,
    error: Option<B::Error>,
    is_end: bool,
    /// The body while it may be read ahead elsewhere. The other fields are empty then.
    shared: Option<SharedBody<B>>,
}

type PolledFrame<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

/// A handle to a body that is on its way to the client and is read ahead meanwhile.
pub(super) struct SharedBody<B: Body> {
    body: Arc<Mutex<Pin<Box<PeekedBody<B>>>>>,
}

impl<B: Body> PeekedBody<B> {
    pub(super) fn untouched(inner: B) -> Self {
        Self {
            prefix: None,
            inner: Some(inner),
            watch: None,
            guard: None,
        }
    }

    pub(super) fn resumed(prefix: Prefix<B>, inner: B, watch: Option<Box<LateErrorWatch>>) -> Self {
        Self {
            prefix: Some(Box::new(prefix)),
            inner: Some(inner),
            watch,
            guard: None,
        }
    }

    /// Returns the same body, which holds the guard until its end.
    #[cfg(feature = "stack")]
    pub(crate) fn guarded<G>(self, guard: Option<G>) -> PeekedBody<B, G> {
        // A body that has ended may never be polled.
        let guard = guard.filter(|_| !self.is_end_stream());
        PeekedBody {
            prefix: self.prefix,
            inner: self.inner,
            watch: self.watch,
            guard,
        }
    }
}

impl<B: Body, G> PeekedBody<B, G> {
    /// Returns true if the body yields no more frames. Watch and guard have no say in that.
    #[inline]
    fn is_over(prefix: Option<&Prefix<B>>, inner: Option<&B>) -> bool {
        let is_end = prefix.and_then(Prefix::is_end_stream);
        is_end.unwrap_or_else(|| inner.is_none_or(B::is_end_stream))
    }
}

impl<B: Body + Unpin> PeekedBody<B> {
    /// Reads ahead until `limit` bytes or the end have come.
    pub(super) fn poll_ahead(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<()> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(());
        };
        let prefix = self.prefix.get_or_insert_with(|| Box::new(Prefix::new()));
        while !prefix.is_end && !inner.is_end_stream() && prefix.len < limit {
            prefix.push(ready!(Pin::new(&mut *inner).poll_frame(cx)));
        }
        Poll::Ready(())
    }

    /// Returns the data that was read ahead, at most `limit` bytes.
    pub(super) fn data(&self, limit: usize) -> Cow<'_, [u8]> {
        let prefix = self.prefix.as_ref();
        prefix.map_or(Cow::Borrowed(&[]), |prefix| prefix.data(limit))
    }

    /// Returns the same body, and a handle that reads it ahead while it is on its way.
    pub(super) fn share(self) -> (Self, SharedBody<B>) {
        let body = Arc::new(Mutex::new(Box::pin(self)));
        let mut prefix = Prefix::new();
        prefix.shared = Some(SharedBody {
            body: Arc::clone(&body),
        });
        let shared = Self {
            prefix: Some(Box::new(prefix)),
            inner: None,
            watch: None,
            guard: None,
        };
        (shared, SharedBody { body })
    }
}

impl<B: Body> SharedBody<B> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Pin<Box<PeekedBody<B>>>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Body> Prefix<B> {
    pub(super) fn new() -> Self {
        Self {
            // Most responses have one.
            frames: VecDeque::with_capacity(1),
            len: 0,
            error: None,
            is_end: false,
            shared: None,
        }
    }

    /// Adds what the body yielded. Returns true if more may come.
    pub(super) fn push(&mut self, frame: Option<Result<Frame<B::Data>, B::Error>>) -> bool {
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

    /// Returns the frame that was added last.
    pub(super) fn last(&self) -> Option<&Frame<Bytes>> {
        self.frames.back()
    }

    /// Returns the number of bytes of data.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the data, at most `limit` bytes. Borrows it if it came in one chunk.
    fn data(&self, limit: usize) -> Cow<'_, [u8]> {
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

    /// Returns the next frame, or `None` if that is one of the rest of the body.
    #[cold]
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Option<PolledFrame<B::Error>> {
        if let Some(shared) = &self.shared {
            return Some(shared.lock().as_mut().poll_frame(cx));
        }
        if let Some(frame) = self.pop_frame() {
            return Some(Poll::Ready(Some(Ok(frame))));
        }
        self.is_end.then(|| Poll::Ready(self.error.take().map(Err)))
    }

    /// Returns true if the body is at its end, and `None` if that depends on the rest of it.
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
        // The upper bound is set first, because the lower bound may not exceed it.
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

impl<B: Body, G: Guard> Body for PeekedBody<B, G> {
    type Data = Bytes;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let from_prefix = this
            .prefix
            .as_mut()
            .and_then(|prefix| prefix.poll_frame(cx));
        let frame = match from_prefix {
            Some(frame) => ready!(frame),
            None => {
                *this.prefix = None;
                let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                    return Poll::Ready(None);
                };
                ready!(inner.poll_frame(cx)).map(|frame| frame.map(into_bytes))
            }
        };
        let inner = this.inner.as_ref().get_ref().as_ref();
        // A body that has ended may not be polled any more.
        let is_end = Self::is_over(this.prefix.as_deref(), inner);
        if let Some(watch) = this.watch
            && watch.check_frame(frame.as_ref(), is_end).is_break()
        {
            *this.watch = None;
        }
        release_at_end(this.guard, frame.as_ref(), is_end);
        Poll::Ready(frame)
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        Self::is_over(self.prefix.as_deref(), self.inner.as_ref())
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match (&self.prefix, &self.inner) {
            (None, Some(inner)) => inner.size_hint(),
            (None, None) => SizeHint::with_exact(0),
            (Some(prefix), inner) => prefix.size_hint(inner.as_ref()),
        }
    }
}

impl<B: Body, G> From<Bytes> for PeekedBody<B, G> {
    fn from(data: Bytes) -> Self {
        let mut prefix = Prefix::new();
        if !data.is_empty() {
            prefix.push_frame(Frame::data(data));
        }
        Self {
            prefix: Some(Box::new(prefix)),
            ..Self::default()
        }
    }
}

impl<B: Body, G> Default for PeekedBody<B, G> {
    fn default() -> Self {
        Self {
            prefix: None,
            inner: None,
            watch: None,
            guard: None,
        }
    }
}

fn into_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

impl<B: Body, G> fmt::Debug for PeekedBody<B, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekedBody")
            .field("prefix", &self.prefix.as_ref().map(|prefix| prefix.len()))
            .field("is_watched", &self.watch.is_some())
            .field("is_held", &self.guard.is_some())
            .finish_non_exhaustive()
    }
}

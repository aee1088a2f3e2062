use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use spillover_core::Tried;
use tower::BoxError;

use super::{
    ReplayError, ReplayLimits,
    recording::{Position, Recording},
};

/// A request body that can be sent again: it streams through at the first attempt, and each clone reads the same bytes and
/// trailers from the start.
///
/// What was read is kept by reference, within [`ReplayLimits`], for as long as there is a clone that may need it. Reading
/// goes on where the recording ends, so a body that was sent in half at the first attempt is sent whole at the second.
///
/// One clone reads at a time: the latest that began. An earlier one that is polled after that, such as by an HTTP/2
/// connection whose server answered before it had read the body, gets a [`ReplayError`].
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::{BodyExt, Full};
/// use tower_spillover::retry::{ReplayBody, ReplayLimits};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let first = ReplayBody::new(Full::new(Bytes::from("question")), ReplayLimits::default());
/// let second = first.clone();
/// assert_eq!(first.collect().await?.to_bytes(), "question");
/// assert!(second.is_replayable());
/// assert_eq!(second.collect().await?.to_bytes(), "question");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct ReplayBody<B> {
    shared: Arc<Mutex<Shared<B>>>,
    /// Clones are numbered in the order of their making: a higher number takes the body over.
    reader: u64,
    position: Position,
    is_done: bool,
}

struct Shared<B> {
    /// `None` when it came to its end or failed.
    source: Option<B>,
    recording: Recording,
    trailers: Option<HeaderMap>,
    /// Whether the original body told its size from the start.
    is_sized: bool,
    is_failed: bool,
    tried: Option<Tried>,
    latest_reader: u64,
    latest_clone: u64,
    waker: Option<Waker>,
}

impl<B: Body> ReplayBody<B> {
    /// Records `body` as it is read.
    pub fn new(body: B, limits: ReplayLimits) -> Self {
        Self::with_tried(body, limits, None)
    }

    pub(super) fn with_tried(body: B, limits: ReplayLimits, tried: Option<Tried>) -> Self {
        let size = body.size_hint();
        let shared = Shared {
            source: Some(body),
            recording: Recording::new(limits, size.lower()),
            trailers: None,
            is_sized: size.exact().is_some(),
            is_failed: false,
            tried,
            latest_reader: 0,
            latest_clone: 0,
            waker: None,
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            reader: 0,
            position: Position::default(),
            is_done: false,
        }
    }
}

impl<B> ReplayBody<B> {
    /// Whether this clone can be read from where it stands: false when the recording it needs was let go, when the
    /// original body failed, and when a later clone took over.
    pub fn is_replayable(&self) -> bool {
        self.lock().is_readable(self.reader, self.position)
    }

    /// Ends the reading of all earlier clones, if this one [can be read](Self::is_replayable): so it stays.
    ///
    /// A connection that got its answer early may still be sending the body.
    pub(super) fn take_over(&self) -> bool {
        let mut shared = self.lock();
        let is_readable = shared.is_readable(self.reader, self.position);
        if is_readable {
            shared.begin(self.reader);
        }
        is_readable
    }

    fn lock(&self) -> MutexGuard<'_, Shared<B>> {
        // Nothing in here is left half-done by a panic of the source: what was read before stays valid.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = ReplayError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        let this = self.get_mut();
        if this.is_done {
            return Poll::Ready(None);
        }
        // With one handle left nobody else can read, and none can be cloned while this one is borrowed.
        let is_wanted = Arc::strong_count(&this.shared) > 1;
        let mut shared = this.shared.lock().unwrap_or_else(PoisonError::into_inner);

        let frame = match shared.check(this.reader, this.position) {
            Ok(()) => match shared.recording.next(&mut this.position) {
                Some(chunk) => Some(Ok(Frame::data(chunk))),
                None => ready!(shared.poll_source(cx, &mut this.position, is_wanted)),
            },
            Err(error) => Some(Err(error)),
        };
        this.is_done = !matches!(&frame, Some(Ok(frame)) if frame.is_data());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.lock();
        let is_caught_up = shared.recording.ahead_of(self.position) == 0;
        self.is_done
            || is_caught_up
                && shared.trailers.is_none()
                && !shared.is_failed
                && shared.source.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let shared = self.lock();
        let mut hint = match &shared.source {
            Some(source) => source.size_hint(),
            None if shared.is_sized => SizeHint::with_exact(0),
            // Each attempt looks like the first: HTTP/1.1 would send a size that is known by now as the length, and a body
            // that has a length without its trailers (RFC 9112 section 6.5).
            None => SizeHint::new(),
        };
        let ahead = shared.recording.ahead_of(self.position);
        // Upper first: the lower bound may not exceed it.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint.set_lower(hint.lower().saturating_add(ahead));
        hint
    }
}

impl<B> Shared<B> {
    fn is_readable(&self, reader: u64, position: Position) -> bool {
        !self.is_failed && self.latest_reader <= reader && self.recording.reaches(position)
    }

    /// Lets the reader read, unless it cannot.
    fn check(&mut self, reader: u64, position: Position) -> Result<(), ReplayError> {
        if reader < self.latest_reader {
            return Err(ReplayError::superseded());
        }
        if !self.recording.reaches(position) {
            return Err(ReplayError::not_recorded());
        }
        self.begin(reader);
        Ok(())
    }

    /// Ends the reading of all earlier readers.
    fn begin(&mut self, reader: u64) {
        if reader > self.latest_reader {
            self.latest_reader = reader;
            // The earlier one may be waiting for data: it learns that none will come.
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

impl<B> Shared<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    fn poll_source(
        &mut self,
        cx: &mut Context<'_>,
        position: &mut Position,
        is_wanted: bool,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(if self.is_failed {
                Some(Err(ReplayError::not_recorded()))
            } else {
                self.trailers
                    .clone()
                    .map(|trailers| Ok(Frame::trailers(trailers)))
            });
        };
        let polled = Pin::new(source).poll_frame(cx);
        if let Some(tried) = &self.tried {
            tried.set_awaiting_body(polled.is_pending());
        }
        let Poll::Ready(frame) = polled else {
            if !self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                self.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        Poll::Ready(match frame {
            None => {
                self.source = None;
                None
            }
            Some(Err(error)) => {
                self.source = None;
                self.is_failed = true;
                if let Some(tried) = &self.tried {
                    tried.set_request_failed();
                }
                Some(Err(ReplayError::source(error.into())))
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => {
                    let chunk = data.copy_to_bytes(data.remaining());
                    self.recording.push(&chunk, is_wanted);
                    position.advance(&chunk);
                    Some(Ok(Frame::data(chunk)))
                }
                Err(frame) => {
                    // Trailers are the last frame (RFC 9110 section 6.5).
                    self.source = None;
                    self.trailers = frame.into_trailers().ok();
                    self.trailers
                        .clone()
                        .map(|trailers| Ok(Frame::trailers(trailers)))
                }
            },
        })
    }
}

impl<B> Clone for ReplayBody<B> {
    fn clone(&self) -> Self {
        let reader = {
            let mut shared = self.lock();
            shared.latest_clone += 1;
            shared.latest_clone
        };
        Self {
            shared: Arc::clone(&self.shared),
            reader,
            position: Position::default(),
            is_done: false,
        }
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody")
            .field("reader", &self.reader)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

use std::{
    error, fmt,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use spillover_core::{Attempts, layer::AttemptsProtocol};
use tower::BoxError;

use super::recording::{Position, Recording, ReplayLimits};

/// The one body behind all clones, with a recording of the chunks that were read.
pub(super) struct Shared<B> {
    /// `None` if the body came to its end or failed.
    source: Option<B>,
    recording: Recording,
    trailers: Option<HeaderMap>,
    /// True if the original body told its size from the start.
    is_sized: bool,
    /// True if the body was at its end from the start.
    is_empty: bool,
    is_failed: bool,
    attempts: Option<Attempts>,
    latest_reader: u64,
    latest_clone: u64,
    waker: Option<Waker>,
}

impl<B> Shared<B> {
    pub(super) fn is_readable(&self, reader: u64, position: Position) -> bool {
        self.latest_reader <= reader && self.is_kept(position)
    }

    /// Returns true if the body can still be read from the position on.
    pub(super) fn is_kept(&self, position: Position) -> bool {
        !self.is_failed && self.recording.reaches(position)
    }

    pub(super) fn next_reader(&mut self) -> u64 {
        self.latest_clone += 1;
        self.latest_clone
    }

    /// Makes the reader the latest.
    ///
    /// # Errors
    ///
    /// A later reader took over, or the chunks at the position are gone.
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
    pub(super) fn begin(&mut self, reader: u64) {
        if reader > self.latest_reader {
            self.latest_reader = reader;
            self.set_held(!self.is_empty);
            // The new reader does not await data before its first poll.
            self.set_awaiting(false);
            // The earlier reader may be waiting for data. It is woken to return the error that it was superseded.
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }

    /// Records that the latest reader came to the end, so that another reader takes nothing away from it.
    pub(super) fn record_sent(&self) {
        self.set_held(!self.recording.reaches(Position::default()));
    }

    fn set_held(&self, is_held: bool) {
        if let Some(attempts) = &self.attempts {
            attempts.set_body_held(is_held);
        }
    }

    fn set_awaiting(&self, is_awaiting: bool) {
        if let Some(attempts) = &self.attempts {
            attempts.set_awaiting_body(is_awaiting);
        }
    }
}

impl<B: Body> Shared<B> {
    pub(super) fn new(body: B, limits: ReplayLimits, attempts: Option<Attempts>) -> Self {
        let size = body.size_hint();
        let shared = Self {
            is_empty: body.is_end_stream(),
            source: Some(body),
            recording: Recording::new(limits, size.lower()),
            trailers: None,
            is_sized: size.exact().is_some(),
            is_failed: false,
            attempts,
            latest_reader: 0,
            latest_clone: 0,
            waker: None,
        };
        shared.set_held(!shared.is_empty);
        shared
    }

    pub(super) fn is_at_end(&self, position: Position) -> bool {
        self.recording.ahead_of(position) == 0
            && self.trailers.is_none()
            && !self.is_failed
            && self.source.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(super) fn size_hint(&self, position: Position) -> SizeHint {
        let mut hint = match &self.source {
            Some(source) => source.size_hint(),
            None if self.is_sized => SizeHint::with_exact(0),
            // The hint of a retry stays that of the first attempt. From a size that is known by now, HTTP/1.1 would send
            // `content-length`, and then no trailers (RFC 9112 section 6.5).
            None => SizeHint::new(),
        };
        let ahead = self.recording.ahead_of(position);
        // The upper bound is set first, since the lower bound must not exceed it.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint.set_lower(hint.lower().saturating_add(ahead));
        hint
    }
}

impl<B> Shared<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    /// Reads the next frame for this reader, whose position moves on.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        reader: u64,
        position: &mut Position,
        is_wanted: bool,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        if let Err(error) = self.check(reader, *position) {
            return Poll::Ready(Some(Err(error)));
        }
        match self.recording.next(position) {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None => self.poll_source(cx, position, is_wanted),
        }
    }

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
        self.set_awaiting(polled.is_pending());
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
                if let Some(attempts) = &self.attempts {
                    attempts.set_request_failed();
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

/// The error of a [`ReplayBody`](super::ReplayBody) that cannot go on.
#[derive(Debug)]
pub struct ReplayError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Source(BoxError),
    Superseded,
    NotRecorded,
}

impl ReplayError {
    fn source(error: BoxError) -> Self {
        Self {
            kind: Kind::Source(error),
        }
    }

    fn superseded() -> Self {
        Self {
            kind: Kind::Superseded,
        }
    }

    fn not_recorded() -> Self {
        Self {
            kind: Kind::NotRecorded,
        }
    }

    /// Returns true if the original body failed. For example, the client went away while it sent the body.
    #[must_use]
    pub fn is_source(&self) -> bool {
        matches!(self.kind, Kind::Source(_))
    }

    /// Returns true if a later attempt took the body over.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        matches!(self.kind, Kind::Superseded)
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Source(_) => "the request body could not be read",
            Kind::Superseded => "a later attempt took the request body over",
            Kind::NotRecorded => "the request body was not recorded and cannot be sent again",
        })
    }
}

impl error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            Kind::Source(error) => Some(&**error),
            Kind::Superseded | Kind::NotRecorded => None,
        }
    }
}

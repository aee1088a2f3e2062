use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::{
    in_flight::InFlight,
    wire::{Ending, Wire},
};

/// The body of an answer. Its request stays in flight until the body has been handed over.
pub(super) struct Reply {
    pieces: Pieces,
    known_length: bool,
    every: Duration,
    wait: Option<Pin<Box<Sleep>>>,
    reset: Option<Arc<Wire>>,
    in_flight: Option<InFlight>,
}

enum Pieces {
    Queue(VecDeque<Bytes>),
    Filler(usize),
}

impl Reply {
    pub(super) fn full(body: Bytes) -> Self {
        Self {
            known_length: true,
            ..Self::stream([body], Duration::ZERO)
        }
    }

    /// Yields the first piece at once and the others at intervals of `every`.
    pub(super) fn stream(pieces: impl IntoIterator<Item = Bytes>, every: Duration) -> Self {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        Self::new(Pieces::Queue(pieces.collect()), every)
    }

    pub(super) fn filler(bytes: usize) -> Self {
        Self::new(Pieces::Filler(bytes), Duration::ZERO)
    }

    /// Resets the connection instead of ending the body.
    pub(super) fn then_reset(mut self, wire: Arc<Wire>) -> Self {
        self.reset = Some(wire);
        self
    }

    pub(super) fn guarded_by(mut self, in_flight: InFlight) -> Self {
        // hyper drops a body that is at its end without polling it.
        if self.is_end_stream() {
            in_flight.complete();
        } else {
            self.in_flight = Some(in_flight);
        }
        self
    }

    fn new(pieces: Pieces, every: Duration) -> Self {
        Self {
            pieces,
            known_length: false,
            every,
            wait: None,
            reset: None,
            in_flight: None,
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if let Some(wait) = &mut this.wait {
            ready!(wait.as_mut().poll(cx));
            this.wait = None;
        }
        let piece = this.pieces.next();
        if piece.is_none()
            && let Some(wire) = &this.reset
        {
            wire.end(Ending::ResetAfterFlush);
            return Poll::Pending;
        }
        if this.is_end_stream() {
            if let Some(in_flight) = this.in_flight.take() {
                in_flight.complete();
            }
        } else if !this.every.is_zero() {
            this.wait = Some(Box::pin(sleep(this.every)));
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.reset.is_none() && self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.known_length {
            SizeHint::with_exact(self.pieces.len() as u64)
        } else {
            SizeHint::default()
        }
    }
}

impl Pieces {
    fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Queue(queue) => queue.pop_front(),
            Self::Filler(0) => None,
            Self::Filler(left) => {
                let len = FILLER.len().min(*left);
                *left -= len;
                Some(Bytes::from_static(&FILLER[..len]))
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Queue(queue) => queue.iter().all(Bytes::is_empty),
            Self::Filler(left) => *left == 0,
        }
    }

    /// Returns the length in bytes.
    fn len(&self) -> usize {
        match self {
            Self::Queue(queue) => queue.iter().map(Bytes::len).sum(),
            Self::Filler(left) => *left,
        }
    }
}

static FILLER: [u8; 16 * 1024] = [b'x'; 16 * 1024];

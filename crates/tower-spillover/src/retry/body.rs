use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use spillover_core::Attempts;
use tower::BoxError;

use super::{
    recording::{Position, ReplayLimits},
    shared::{ReplayError, Shared},
};

/// A request body that can be sent again: it streams through at the first attempt, and each clone reads the same bytes and
/// trailers from the start.
///
/// The chunks that were read are kept by reference, within [`ReplayLimits`], for as long as there is a clone that may need it. Reading
/// goes on where the recording ends, so a body that was sent in half at the first attempt is sent whole at the second.
///
/// One clone reads at a time: the latest that began. An earlier one that has not come to its end and is polled after that,
/// such as by an HTTP/2 connection whose server answered before it had read the body, gets a [`ReplayError`].
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
    /// Numbers the clones in the order in which they were made or took over. A higher number takes the body over.
    reader: u64,
    position: Position,
    is_done: bool,
}

impl<B: Body> ReplayBody<B> {
    /// Records `body` as it is read.
    pub fn new(body: B, limits: ReplayLimits) -> Self {
        Self::with_attempts(body, limits, None)
    }

    pub(super) fn with_attempts(body: B, limits: ReplayLimits, attempts: Option<Attempts>) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared::new(body, limits, attempts))),
            reader: 0,
            position: Position::default(),
            is_done: false,
        }
    }
}

impl<B> ReplayBody<B> {
    /// Returns true if this clone can be read on. It cannot if the recording it needs was dropped, the original body failed or a
    /// later clone took over.
    pub fn is_replayable(&self) -> bool {
        self.lock().is_readable(self.reader, self.position)
    }

    /// Makes this clone the latest if it can be read, which ends the reading of all other clones. Returns false if it cannot.
    ///
    /// A connection that got its answer early may still be sending the body. A clone that was made after this one may have
    /// been sent as a hedge.
    pub(super) fn take_over(&mut self) -> bool {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if !shared.is_kept(self.position) {
            return false;
        }
        self.reader = shared.next_reader();
        shared.begin(self.reader);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Shared<B>> {
        // A panic of the source does not leave a partial state: the chunks read before stay valid.
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
        // The last handle is the only reader, so that nothing is recorded. It cannot be cloned while it is borrowed.
        let is_wanted = Arc::strong_count(&this.shared) > 1;
        let mut shared = this.shared.lock().unwrap_or_else(PoisonError::into_inner);

        let reading = shared.poll_frame(cx, this.reader, &mut this.position, is_wanted);
        let frame = ready!(reading);
        let is_data = matches!(&frame, Some(Ok(frame)) if frame.is_data());
        this.is_done = !is_data || shared.is_at_end(this.position);
        if this.is_done && !matches!(frame, Some(Err(_))) {
            shared.record_sent();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_done || self.lock().is_at_end(self.position)
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint(self.position)
    }
}

impl<B> Clone for ReplayBody<B> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            reader: self.lock().next_reader(),
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

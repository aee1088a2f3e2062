use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use spillover_core::{Attempts, layer::AttemptsProtocol};
use tokio::time::{Instant, Sleep, sleep_until};
use tower::BoxError;

use crate::limits::Deadline;

/// The timeouts of a response body: of the wait for a frame, and of the whole response.
///
/// For bodies that have timeouts without a layer of their own.
#[derive(Debug)]
pub struct BodyTimer {
    limit: Option<Duration>,
    deadline: Option<Instant>,
    late: Option<Attempts>,
    waiting_since: Option<Instant>,
    /// Created at the first wait. Reset when it fires, and not for each frame.
    sleep: Option<Pin<Box<Sleep>>>,
    /// The task that the timer wakes. A timer that is not due is not polled again for each frame.
    armed_for: Option<Waker>,
}

impl BodyTimer {
    /// Creates a timer with the longest wait for a frame, and the deadline of the request. `None`: no such timeout.
    ///
    /// `late` are the attempts of a request that has [spent](Deadline::is_mostly_spent) most of its time on earlier ones. The
    /// last backend is not blamed for a timeout then.
    #[must_use]
    pub fn new(
        limit: Option<Duration>,
        deadline: Option<Deadline>,
        late: Option<Attempts>,
    ) -> Self {
        Self {
            limit,
            deadline: deadline.map(|deadline| deadline.at),
            late,
            waiting_since: None,
            sleep: None,
            armed_for: None,
        }
    }

    /// Creates a timer that never ends a body.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(None, None, None)
    }

    /// Returns what a body has yielded, or an error if a timeout is over.
    pub fn check<E: Into<BoxError>>(
        &mut self,
        frame: Poll<Option<Result<Frame<Bytes>, E>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match frame {
            // A slow reader never waits for a frame, so the deadline is checked here as well.
            Poll::Ready(Some(_)) if self.is_past_deadline() => self.fail(TimeoutKind::Total),
            Poll::Ready(frame) => {
                self.waiting_since = None;
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let kind = ready!(self.poll_timeout(cx));
                self.fail(kind)
            }
        }
    }

    /// Waits for a timeout.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<TimeoutKind> {
        if self.limit.is_none() && self.deadline.is_none() {
            return Poll::Pending;
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if self.is_armed(cx) {
            return Poll::Pending;
        }
        let idle = self
            .limit
            .map(|limit| (since + limit, TimeoutKind::IdleTimeout(limit)));
        let total = self.deadline.map(|at| (at, TimeoutKind::Total));
        let ends = idle.into_iter().chain(total);
        let Some((end, kind)) = ends.min_by_key(|(end, _)| *end) else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        while sleep.as_mut().poll(cx).is_ready() {
            if end <= sleep.deadline() {
                return Poll::Ready(kind);
            }
            sleep.as_mut().reset(end);
        }
        self.armed_for = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Returns true if the timer wakes this task later. It is never due after the timeout, which frames put off.
    fn is_armed(&self, cx: &Context<'_>) -> bool {
        let is_pending = self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed());
        let task = self.armed_for.as_ref();
        is_pending && task.is_some_and(|task| task.will_wake(cx.waker()))
    }

    fn is_past_deadline(&self) -> bool {
        self.deadline.is_some_and(|at| Instant::now() >= at)
    }

    fn fail(&self, kind: TimeoutKind) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let (TimeoutKind::Total, Some(attempts)) = (kind, &self.late) {
            attempts.set_request_failed();
        }
        Poll::Ready(Some(Err(kind.into())))
    }
}

/// Kind of a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeoutKind {
    IdleTimeout(Duration),
    Total,
}

impl fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdleTimeout(limit) => {
                write!(f, "nothing more came within {} s", limit.as_secs_f64())
            }
            Self::Total => f.write_str("the response took longer than a request may in total"),
        }
    }
}

impl Error for TimeoutKind {}

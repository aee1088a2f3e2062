use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use spillover_core::Attempts;
use spillover_core::layer::AttemptsProtocol;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::BoxError;

/// Response body that fails when it stands still for too long, or at its deadline.
#[derive(Debug)]
pub struct IdleTimeoutBody<B> {
    inner: B,
    limit: Option<Duration>,
    end: Option<BodyDeadline>,
    waiting_since: Option<Instant>,
    /// Created at the first wait. Reset when it fires, and not for each frame.
    timer: Option<Pin<Box<Sleep>>>,
    /// The task that the timer wakes. A timer that is not due is not polled again for each frame.
    armed_for: Option<Waker>,
}

/// Deadline of a body.
#[derive(Debug)]
pub(super) struct BodyDeadline {
    pub(super) at: Instant,
    /// Attempts of a request that has spent most of its time on earlier ones. The last backend is not blamed for the timeout.
    pub(super) late: Option<Attempts>,
}

impl<B> IdleTimeoutBody<B> {
    pub(super) fn new(inner: B, limit: Option<Duration>, end: Option<BodyDeadline>) -> Self {
        Self {
            inner,
            limit,
            end,
            waiting_since: None,
            timer: None,
            armed_for: None,
        }
    }

    /// Waits for a timeout.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<TimeoutKind> {
        if self.limit.is_none() && self.end.is_none() {
            return Poll::Pending;
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if self.is_armed(cx) {
            return Poll::Pending;
        }
        let idle = self
            .limit
            .map(|limit| (since + limit, TimeoutKind::IdleTimeout(limit)));
        let total = self.end.as_ref().map(|end| (end.at, TimeoutKind::Total));
        let ends = idle.into_iter().chain(total);
        let Some((end, kind)) = ends.min_by_key(|(end, _)| *end) else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        while timer.as_mut().poll(cx).is_ready() {
            if end <= timer.deadline() {
                return Poll::Ready(kind);
            }
            timer.as_mut().reset(end);
        }
        self.armed_for = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Returns true if the timer wakes this task later. Its deadline is never after the timeout, which frames put off.
    fn is_armed(&self, cx: &Context<'_>) -> bool {
        let is_pending = self.timer.as_ref().is_some_and(|timer| !timer.is_elapsed());
        let task = self.armed_for.as_ref();
        is_pending && task.is_some_and(|task| task.will_wake(cx.waker()))
    }

    fn is_past_deadline(&self) -> bool {
        let end = self.end.as_ref();
        end.is_some_and(|end| Instant::now() >= end.at)
    }

    fn fail(&self, kind: TimeoutKind) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let late = self.end.as_ref().and_then(|end| end.late.as_ref());
        if let (TimeoutKind::Total, Some(tried)) = (kind, late) {
            tried.set_request_failed();
        }
        Poll::Ready(Some(Err(kind.into())))
    }
}

impl<B> Body for IdleTimeoutBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            // A slow reader never waits for a frame, so the deadline is checked here as well.
            Poll::Ready(Some(_)) if this.is_past_deadline() => this.fail(TimeoutKind::Total),
            Poll::Ready(frame) => {
                this.waiting_since = None;
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let kind = ready!(this.poll_timeout(cx));
                this.fail(kind)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: From<Bytes>> From<Bytes> for IdleTimeoutBody<B> {
    fn from(data: Bytes) -> Self {
        Self::new(data.into(), None, None)
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::sleep;

    use super::*;

    /// Returns an endless body with a frame per `pause`.
    fn drip(pause: Duration) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let chunks = stream::repeat(()).then(move |()| async move {
            sleep(pause).await;
            Ok(Frame::data(Bytes::from_static(b"x")))
        });
        StreamBody::new(Box::pin(chunks))
    }

    fn end(at: Instant) -> Option<BodyDeadline> {
        Some(BodyDeadline { at, late: None })
    }

    async fn read<B>(mut body: IdleTimeoutBody<B>) -> (u32, Duration, String)
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        let begun = Instant::now();
        let mut chunks = 0;
        loop {
            match body.frame().await {
                Some(Ok(_)) => chunks += 1,
                Some(Err(error)) => return (chunks, Instant::now() - begun, error.to_string()),
                None => unreachable!("it has no end"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_stands_still_fails() {
        let limit = Duration::from_secs(3);
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let (chunks, after, error) = read(IdleTimeoutBody::new(silent, Some(limit), None)).await;
        assert_eq!((chunks, after.as_secs()), (0, 3));
        assert_eq!(error, "nothing more came within 3 s");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_restart_the_timeout_up_to_the_deadline() {
        let limit = Some(Duration::from_secs(3));
        let deadline = Instant::now() + Duration::from_secs(21);
        let slow = drip(Duration::from_secs(2));
        let (chunks, after, error) = read(IdleTimeoutBody::new(slow, limit, end(deadline))).await;
        assert_eq!((chunks, after.as_secs()), (10, 21));
        assert!(error.contains("in total"), "{error}");

        let slower = drip(Duration::from_secs(4));
        let (chunks, after, _) = read(IdleTimeoutBody::new(slower, limit, None)).await;
        assert_eq!((chunks, after.as_secs()), (0, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_has_the_same_deadline() {
        let chunks = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(b"x"))));
        let ready: StreamBody<_> =
            StreamBody::new(chunks.map(|chunk: Result<_, Infallible>| chunk));
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut body = IdleTimeoutBody::new(ready, None, end(deadline));
        for _ in 0..5 {
            assert!(body.frame().await.unwrap().is_ok());
            sleep(Duration::from_secs(1)).await;
        }
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("in total"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn time_between_polls_does_not_count() {
        let limit = Some(Duration::from_secs(3));
        let mut body = IdleTimeoutBody::new(drip(Duration::from_secs(2)), limit, None);
        for _ in 0..3 {
            assert!(body.frame().await.unwrap().is_ok());
            sleep(Duration::from_secs(60)).await;
        }
    }
}

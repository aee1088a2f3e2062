use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

use super::BodyTimer;

/// Response body that fails when it stands still for too long, or at its deadline.
#[derive(Debug)]
pub struct IdleTimeoutBody<B> {
    inner: B,
    timer: BodyTimer,
}

impl<B> IdleTimeoutBody<B> {
    pub(super) fn new(inner: B, timer: BodyTimer) -> Self {
        Self { inner, timer }
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
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        this.timer.check(frame, cx)
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
        Self::new(data.into(), BodyTimer::unlimited())
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::limits::Deadline;

    /// Returns an endless body with a frame per `pause`.
    fn drip(pause: Duration) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let chunks = stream::repeat(()).then(move |()| async move {
            sleep(pause).await;
            Ok(Frame::data(Bytes::from_static(b"x")))
        });
        StreamBody::new(Box::pin(chunks))
    }

    fn within<B>(inner: B, limit: Option<Duration>, at: Option<Instant>) -> IdleTimeoutBody<B> {
        let total = Duration::from_secs(60);
        let deadline = at.map(|at| Deadline { at, total });
        IdleTimeoutBody::new(inner, BodyTimer::new(limit, deadline, None))
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
        let (chunks, after, error) = read(within(silent, Some(limit), None)).await;
        assert_eq!((chunks, after.as_secs()), (0, 3));
        assert_eq!(error, "nothing more came within 3 s");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_restart_the_timeout_up_to_the_deadline() {
        let limit = Some(Duration::from_secs(3));
        let deadline = Instant::now() + Duration::from_secs(21);
        let slow = drip(Duration::from_secs(2));
        let (chunks, after, error) = read(within(slow, limit, Some(deadline))).await;
        assert_eq!((chunks, after.as_secs()), (10, 21));
        assert!(error.contains("in total"), "{error}");

        let slower = drip(Duration::from_secs(4));
        let (chunks, after, _) = read(within(slower, limit, None)).await;
        assert_eq!((chunks, after.as_secs()), (0, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_has_the_same_deadline() {
        let chunks = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(b"x"))));
        let ready: StreamBody<_> =
            StreamBody::new(chunks.map(|chunk: Result<_, Infallible>| chunk));
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut body = within(ready, None, Some(deadline));
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
        let mut body = within(drip(Duration::from_secs(2)), limit, None);
        for _ in 0..3 {
            assert!(body.frame().await.unwrap().is_ok());
            sleep(Duration::from_secs(60)).await;
        }
    }
}

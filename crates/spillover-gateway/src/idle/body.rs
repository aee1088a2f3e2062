use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use spillover_core::layer::AttemptsProtocol;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::BoxError;
use tower_spillover::Attempts;

/// A response body that ends with an error when nothing comes for too long, or when its time is over.
#[derive(Debug)]
pub(crate) struct IdleBody<B> {
    inner: B,
    limit: Option<Duration>,
    end: Option<End>,
    waiting_since: Option<Instant>,
    /// Made with the first wait. It is set anew when it fires, not with each chunk.
    timer: Option<Pin<Box<Sleep>>>,
}

/// When it is over in any case.
#[derive(Debug)]
pub(super) struct End {
    pub(super) at: Instant,
    /// What the request has been through, when most of its time was spent before: the backend is not to blame for the rest.
    pub(super) late: Option<Attempts>,
}

impl<B> IdleBody<B> {
    pub(super) fn new(inner: B, limit: Option<Duration>, end: Option<End>) -> Self {
        Self {
            inner,
            limit,
            end,
            waiting_since: None,
            timer: None,
        }
    }

    /// Waits until the response is over time, and says why.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        if self.limit.is_none() && self.end.is_none() {
            return Poll::Pending;
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let idle = self.limit.map(|limit| (since + limit, Over::Idle(limit)));
        let total = self.end.as_ref().map(|end| (end.at, Over::Total));
        let ends = idle.into_iter().chain(total);
        let Some((end, over)) = ends.min_by_key(|(end, _)| *end) else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        while timer.as_mut().poll(cx).is_ready() {
            if end <= timer.deadline() {
                return Poll::Ready(over);
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }

    fn is_late(&self) -> bool {
        let end = self.end.as_ref();
        end.is_some_and(|end| Instant::now() >= end.at)
    }

    fn fail(&self, over: Over) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let late = self.end.as_ref().and_then(|end| end.late.as_ref());
        if let (Over::Total, Some(tried)) = (over, late) {
            tried.set_request_failed();
        }
        Poll::Ready(Some(Err(over.into())))
    }
}

impl<B> Body for IdleBody<B>
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
            // A client that takes it slowly never finds the next chunk missing.
            Poll::Ready(Some(_)) if this.is_late() => this.fail(Over::Total),
            Poll::Ready(frame) => {
                this.waiting_since = None;
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let over = ready!(this.poll_over(cx));
                this.fail(over)
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

impl<B: From<Bytes>> From<Bytes> for IdleBody<B> {
    fn from(data: Bytes) -> Self {
        Self::new(data.into(), None, None)
    }
}

/// Why a response is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Idle(Duration),
    Total,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(limit) => write!(f, "nothing more came within {} s", limit.as_secs_f64()),
            Self::Total => f.write_str("the response took longer than a request may in total"),
        }
    }
}

impl Error for Over {}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::sleep;

    use super::*;

    /// A chunk each `pause`, without end.
    fn drip(pause: Duration) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let chunks = stream::repeat(()).then(move |()| async move {
            sleep(pause).await;
            Ok(Frame::data(Bytes::from_static(b"x")))
        });
        StreamBody::new(Box::pin(chunks))
    }

    fn end(at: Instant) -> Option<End> {
        Some(End { at, late: None })
    }

    async fn read<B>(mut body: IdleBody<B>) -> (u32, Duration, String)
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
    async fn a_body_that_stands_still_ends() {
        let limit = Duration::from_secs(3);
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let (chunks, after, error) = read(IdleBody::new(silent, Some(limit), None)).await;
        assert_eq!((chunks, after.as_secs()), (0, 3));
        assert_eq!(error, "nothing more came within 3 s");
    }

    #[tokio::test(start_paused = true)]
    async fn each_chunk_gives_it_time_again_but_not_beyond_the_deadline() {
        let limit = Some(Duration::from_secs(3));
        let deadline = Instant::now() + Duration::from_secs(21);
        let slow = drip(Duration::from_secs(2));
        let (chunks, after, error) = read(IdleBody::new(slow, limit, end(deadline))).await;
        assert_eq!((chunks, after.as_secs()), (10, 21));
        assert!(error.contains("in total"), "{error}");

        let slower = drip(Duration::from_secs(4));
        let (chunks, after, _) = read(IdleBody::new(slower, limit, None)).await;
        assert_eq!((chunks, after.as_secs()), (0, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_its_time_has_no_more_than_others() {
        let chunks = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(b"x"))));
        let ready: StreamBody<_> =
            StreamBody::new(chunks.map(|chunk: Result<_, Infallible>| chunk));
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut body = IdleBody::new(ready, None, end(deadline));
        for _ in 0..5 {
            assert!(body.frame().await.unwrap().is_ok());
            sleep(Duration::from_secs(1)).await;
        }
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("in total"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_ask_is_not_waited_for() {
        let limit = Some(Duration::from_secs(3));
        let mut body = IdleBody::new(drip(Duration::from_secs(2)), limit, None);
        for _ in 0..3 {
            assert!(body.frame().await.unwrap().is_ok());
            sleep(Duration::from_secs(60)).await;
        }
    }
}

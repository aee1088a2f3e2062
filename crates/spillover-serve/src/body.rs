//! Bodies of requests and responses.

use std::{
    error, fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Duration, Instant, Sleep, sleep};

use super::connection::{Activity, InFlight};
use crate::BoxError;

/// Body of a request.
///
/// Fails with a [`BodyTimeout`] when the service waits for more and the client sends nothing for
/// [`Connections::body_timeout`](crate::Connections::body_timeout).
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    timeout: Duration,
    /// Fires every quarter of the timeout. Frames in between do not reset it, which saves timer operations.
    step: Option<Pin<Box<Sleep>>>,
    /// Number of steps since the last frame.
    quiet: u32,
    activity: Arc<Activity>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, timeout: Duration, activity: Arc<Activity>) -> Self {
        activity.set_reading(!inner.is_end_stream());
        activity.take_body();
        Self {
            inner,
            timeout,
            step: None,
            quiet: 0,
            activity,
        }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<BodyTimeout> {
        let Self {
            timeout,
            step: Some(step),
            ..
        } = self
        else {
            // Most bodies arrive at once and need no timer. The timer of the connection wakes the first wait.
            if self.quiet == 0 && self.activity.is_waiting(cx) {
                self.quiet = 1;
                return Poll::Pending;
            }
            self.quiet = 0;
            let mut step = Box::pin(sleep(self.timeout / STEPS));
            let is_over = step.as_mut().poll(cx).is_ready();
            self.step = Some(step);
            return match is_over {
                true => self.poll_timeout(cx),
                false => Poll::Pending,
            };
        };
        loop {
            ready!(step.as_mut().poll(cx));
            // The first step may have begun before the last frame came.
            if self.quiet == STEPS {
                return Poll::Ready(BodyTimeout { after: *timeout });
            }
            self.quiet += 1;
            step.as_mut().reset(Instant::now() + *timeout / STEPS);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            let timeout = ready!(this.poll_timeout(cx));
            return Poll::Ready(Some(Err(timeout.into())));
        };
        this.quiet = 0;
        let is_end = match &frame {
            Some(Ok(frame)) => frame.is_trailers() || this.inner.is_end_stream(),
            Some(Err(_)) => false,
            None => true,
        };
        if is_end {
            this.activity.set_reading(false);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.activity.drop_body();
    }
}

/// Error: the client has not sent more of its request body in time.
#[derive(Debug)]
pub struct BodyTimeout {
    after: Duration,
}

impl BodyTimeout {
    /// Returns the timeout.
    pub fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for BodyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.after.as_secs_f64();
        write!(f, "the client has sent nothing for {seconds} s")
    }
}

impl error::Error for BodyTimeout {}

/// Body of a response. The request counts as in flight until the body ends.
#[derive(Debug)]
pub struct ResponseBody<B> {
    inner: B,
    in_flight: InFlight,
}

impl<B> ResponseBody<B> {
    pub(super) fn new(inner: B, in_flight: InFlight) -> Self {
        Self { inner, in_flight }
    }
}

impl<B: Body + Unpin> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.in_flight.ask();
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            self.in_flight.hand_over();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Number of steps of a timeout. The timeout is exceeded by at most one step.
const STEPS: u32 = 4;

//! The bodies of requests and responses, as the connection sees them.

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
use tower::BoxError;

use super::connection::{Activity, InFlight};

/// What a client sends. It fails when the client stops sending, and the gateway waits.
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    timeout: Duration,
    /// It fires in steps, and is set again only then, however often there was something to read in between.
    step: Option<Pin<Box<Sleep>>>,
    /// Steps since there was something to read.
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
            // Most bodies come at once, and need no timer: the connection wakes those that do not.
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
            // The first may have begun before the last bytes came.
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

/// The client has sent nothing more of its request for so long.
#[derive(Debug)]
pub(crate) struct BodyTimeout {
    after: Duration,
}

impl BodyTimeout {
    pub(crate) fn after(&self) -> Duration {
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

/// What a client gets. The request is under way until it ends.
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

/// A timeout is at most by one of them too long.
const STEPS: u32 = 4;

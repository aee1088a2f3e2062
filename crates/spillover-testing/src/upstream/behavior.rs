use std::time::Duration;

use bytes::Bytes;
use http::Response;

/// The reaction of a [`MockUpstream`](super::MockUpstream) to a request.
///
/// ```
/// use http::Response;
/// use spillover_testing::upstream::Behavior;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), http::Error> {
/// let busy = Response::builder().status(503).header("retry-after", "2").body("busy")?;
/// let late_and_busy = Behavior::respond(busy).after(Duration::from_millis(5));
/// # drop(late_and_busy);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Behavior {
    pub(super) action: Action,
    pub(super) delay: Duration,
    pub(super) reading: Reading,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Api,
    Respond(Box<Response<Bytes>>),
    Stall,
    Reset,
    CutHead,
    ResetMidBody(usize),
    SlowStream { chunks: usize, every: Duration },
    Echo,
    Large(usize),
}

/// The time at which the request's body is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reading {
    First,
    Afterwards,
    Never,
}

impl Behavior {
    /// Serves the rate-limited chat API. This is the default.
    pub fn api() -> Self {
        Self::new(Action::Api)
    }

    /// Answers with `response`.
    pub fn respond(response: Response<impl Into<Bytes>>) -> Self {
        Self::new(Action::Respond(Box::new(response.map(Into::into))))
    }

    /// Answers with `status` and an empty body.
    ///
    /// # Panics
    ///
    /// Panics if `status` is not between 100 and 999.
    pub fn status(status: u16) -> Self {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a valid status");
        Self::respond(response)
    }

    /// Accepts the request and never answers.
    pub fn stall() -> Self {
        Self::new(Action::Stall)
    }

    /// Resets the TCP connection instead of answering.
    pub fn reset() -> Self {
        Self::new(Action::Reset)
    }

    /// Closes the connection in the middle of a response head. HTTP/1.1 only.
    pub fn cut_head() -> Self {
        Self::new(Action::CutHead)
    }

    /// Answers 200 and resets the TCP connection after `bytes` of the body.
    ///
    /// The kernel has received all of them by then. A reset discards undelivered data, so a client surely sees only as
    /// much as fits in its receive buffer (tens of KiB).
    pub fn reset_mid_body(bytes: usize) -> Self {
        Self::new(Action::ResetMidBody(bytes))
    }

    /// Answers 200 and a chat stream of `chunks` events, the first at once and the others at intervals of `every`, then
    /// `[DONE]`.
    pub fn slow_stream(chunks: usize, every: Duration) -> Self {
        Self::new(Action::SlowStream { chunks, every })
    }

    /// Answers 200 with the request's own body. `x-echo-method`, `x-echo-path` and `x-echo-version` describe the
    /// request, and so do `x-echo-content-length` and `x-echo-transfer-encoding` if the request had these fields.
    pub fn echo() -> Self {
        Self::new(Action::Echo)
    }

    /// Answers 200 with `bytes` of body, in chunks of 16 KiB and without a length.
    pub fn large(bytes: usize) -> Self {
        Self::new(Action::Large(bytes))
    }

    /// Delays the answer by `delay` after the request has been read.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Answers before the request's body has been read; reads and drops it afterwards. The request is recorded without
    /// its body.
    pub fn early(mut self) -> Self {
        self.reading = Reading::Afterwards;
        self
    }

    /// Answers before the request's body has been read, and never reads it. HTTP/2 clients are told to stop sending;
    /// HTTP/1.1 clients find the connection closed. The request is recorded without its body.
    pub fn early_unread(mut self) -> Self {
        self.reading = Reading::Never;
        self
    }

    fn new(action: Action) -> Self {
        Self {
            action,
            delay: Duration::ZERO,
            reading: Reading::First,
        }
    }
}

impl<B: Into<Bytes>> From<Response<B>> for Behavior {
    fn from(response: Response<B>) -> Self {
        Self::respond(response)
    }
}

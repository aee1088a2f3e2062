use std::time::Duration;

use tower_layer::Layer;

use super::{Peek, hold::Limits, service::Streams};

/// Holds a stream until its first content; see the [module](super).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct StreamPeekLayer {
    pub(crate) streams: Streams,
    reads_refusals: bool,
}

impl StreamPeekLayer {
    /// Creates the layer. It holds at most 64 KiB of a stream, for at most 5 s.
    pub fn new() -> Self {
        // A stream needs far less: a few hundred bytes come before its content, and 20 KiB if a vendor repeats the request.
        let limits = Limits {
            max_held: 64 * 1024,
            max_wait: Duration::from_secs(5),
        };
        Self {
            streams: Streams {
                limits,
                first_token: None,
            },
            reads_refusals: false,
        }
    }

    /// Reads the bodies of refusals as well, as `ReadRefusalLayer` (feature `refusal`) does. Default: not.
    ///
    /// One layer that does both wraps the body of a response once, two layers wrap it twice.
    pub fn read_refusals(mut self) -> Self {
        self.reads_refusals = true;
        self
    }

    /// Sets how many bytes of a stream are held before it is passed on as it is. At 0 none is held.
    pub fn max_held(mut self, bytes: usize) -> Self {
        self.streams.limits.max_held = bytes;
        self
    }

    /// Sets for how long after its head a stream is held before it is passed on as it is. At 0 only the frames that came with
    /// the head are read.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.streams.limits.max_wait = wait;
        self
    }

    /// Sets the deadline for the first content of a stream, counted from the request of the attempt. Default: none.
    ///
    /// A stream without content by then is given up for the next backend, as if it had answered 504. Nothing of it has been
    /// sent to the client. Only streams are given up. To bound the time to the head of a response, put a timeout around the
    /// client.
    ///
    /// A stream is held until the deadline, in place of [`max_wait`](Self::max_wait) and within
    /// [`max_held`](Self::max_held), as long as another backend would take the request. If none would, the stream is passed on.
    /// The [module](super#a-deadline-for-the-first-content) says how the layer knows.
    pub fn first_token(mut self, limit: Duration) -> Self {
        self.streams.first_token = Some(limit);
        self
    }
}

impl Default for StreamPeekLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for StreamPeekLayer {
    type Service = Peek<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Peek::new(inner, Some(self.streams), self.reads_refusals)
    }
}

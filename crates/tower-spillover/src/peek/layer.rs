use std::time::Duration;

use tower_layer::Layer;

use super::StreamPeek;

/// Holds a stream until its first content; see the [module](super).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct StreamPeekLayer {
    pub(crate) limits: Limits,
    pub(crate) first_token: Option<Duration>,
}

/// How long a stream is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_held: usize,
    pub(crate) max_wait: Duration,
}

impl StreamPeekLayer {
    /// The layer. It holds at most 64 KiB of a stream, for at most 5 s.
    pub fn new() -> Self {
        // Both are far more than a stream needs that has anything to say: what comes before the content is a few hundred
        // bytes, and 20 KiB where a vendor repeats the whole request.
        let limits = Limits {
            max_held: 64 * 1024,
            max_wait: Duration::from_secs(5),
        };
        Self {
            limits,
            first_token: None,
        }
    }

    /// Sets how many bytes of a stream are held before it is passed on as it is. At 0 none is held.
    pub fn max_held(mut self, bytes: usize) -> Self {
        self.limits.max_held = bytes;
        self
    }

    /// Sets for how long after its head a stream is held before it is passed on as it is. At 0 only what is there already is
    /// looked at.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.limits.max_wait = wait;
        self
    }

    /// Sets by when a stream must have content. One that has none by then is given up for the next backend, as if it had
    /// answered 504: nothing of it has been sent to the client. Default: none.
    ///
    /// The time begins with the request of the attempt. Only streams are given up: how long the head of a response may take
    /// is for a timeout around the client.
    ///
    /// A stream is held until the deadline, in place of [`max_wait`](Self::max_wait) and within
    /// [`max_held`](Self::max_held), as long as another backend would take the request. When none would, the stream goes on.
    /// The [module](super#a-deadline-for-the-first-content) says how the layer knows.
    pub fn first_token(mut self, limit: Duration) -> Self {
        self.first_token = Some(limit);
        self
    }
}

impl Default for StreamPeekLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for StreamPeekLayer {
    type Service = StreamPeek<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StreamPeek::new(inner, self.limits, self.first_token)
    }
}

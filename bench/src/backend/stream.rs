use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Duration, Interval, MissedTickBehavior, interval};

/// A chat completion as server-sent events. The first event comes at once, then one every [`PERIOD`].
pub(super) struct Stream {
    interval: Interval,
    left: u64,
}

impl Stream {
    pub(super) fn new() -> Self {
        let mut interval = interval(PERIOD);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            interval,
            left: CHUNKS,
        }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        ready!(self.interval.poll_tick(cx));
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&EVENT)))))
    }
}

/// The number of chunks per stream.
pub(crate) const CHUNKS: u64 = 100;

/// The number of bytes per chunk.
pub(crate) const CHUNK: usize = 200;

const PERIOD: Duration = Duration::from_millis(20);

const EVENT: [u8; CHUNK] = super::padded(
    br#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o","choices":[{"index":0,"delta":{"content":""#,
    b"\"},\"finish_reason\":null}]}\n\n",
);

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use super::record::Record;

/// A response body that knows how it ended.
#[derive(Debug)]
pub(super) struct LoggedBody {
    inner: Body,
    record: Record,
}

impl LoggedBody {
    pub(super) fn new(inner: Body, mut record: Record) -> Self {
        // An empty body is never polled.
        if inner.is_end_stream() {
            record.complete();
        }
        Self { inner, record }
    }
}

impl HttpBody for LoggedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                self.record.sent(frame.data_ref().map_or(0, Bytes::len));
                // A body of known length is not polled after its last frame.
                if self.inner.is_end_stream() {
                    self.record.complete();
                }
            }
            Some(Err(_)) => self.record.broken(),
            None => self.record.complete(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

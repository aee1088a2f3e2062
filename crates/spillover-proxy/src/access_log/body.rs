use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::record::Record;

/// Response body that records its size and end for the log.
#[derive(Debug)]
pub struct LoggedBody<B> {
    inner: B,
    record: Option<Record>,
}

impl<B: Body> LoggedBody<B> {
    pub(super) fn new(inner: B, mut record: Option<Record>) -> Self {
        // An empty body is never polled.
        if let Some(record) = &mut record
            && inner.is_end_stream()
        {
            record.set_complete();
        }
        Self { inner, record }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for LoggedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let Self { inner, record } = &mut *self;
        let Some(record) = record else {
            return Poll::Ready(frame);
        };
        match &frame {
            Some(Ok(frame)) => {
                record.add_sent(frame.data_ref().map_or(0, Bytes::len));
                // A body of known length is not polled after its last frame.
                if inner.is_end_stream() {
                    record.set_complete();
                }
            }
            Some(Err(_)) => record.set_broken(),
            None => record.set_complete(),
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

/// Creates a body that is not logged.
impl<B: From<Bytes>> From<Bytes> for LoggedBody<B> {
    fn from(data: Bytes) -> Self {
        Self {
            inner: data.into(),
            record: None,
        }
    }
}

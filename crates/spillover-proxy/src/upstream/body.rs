use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::{body::Incoming, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::ReadHalf;
use tokio_util::io::ReaderStream;
use tower::BoxError;

use crate::idle_timeout::BodyTimer;

/// Body of a backend's response, or of an error response in its place. Fails when the backend stands still for too long.
#[derive(Debug)]
pub struct UpstreamBody {
    source: Source,
    timer: BodyTimer,
}

/// Source of the bytes of a body.
#[derive(Debug)]
pub(super) enum Source {
    Incoming(Incoming),
    Own(Full<Bytes>),
    /// Bytes after a protocol upgrade, which have no timeouts.
    Tunnel(ReaderStream<ReadHalf<TokioIo<Upgraded>>>),
}

impl UpstreamBody {
    pub(super) fn new(source: Source, timer: BodyTimer) -> Self {
        Self { source, timer }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        match &mut this.source {
            Source::Incoming(body) => {
                let frame = Pin::new(body).poll_frame(cx);
                this.timer.check(frame, cx)
            }
            Source::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|error| match error {}),
            Source::Tunnel(bytes) => {
                let chunk = Pin::new(bytes).poll_next(cx);
                chunk.map_ok(Frame::data).map_err(BoxError::from)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Incoming(body) => body.is_end_stream(),
            Source::Own(body) => body.is_end_stream(),
            Source::Tunnel(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Incoming(body) => body.size_hint(),
            Source::Own(body) => body.size_hint(),
            Source::Tunnel(_) => SizeHint::default(),
        }
    }
}

impl From<Bytes> for UpstreamBody {
    fn from(data: Bytes) -> Self {
        Self {
            source: Source::Own(Full::new(data)),
            timer: BodyTimer::unlimited(),
        }
    }
}

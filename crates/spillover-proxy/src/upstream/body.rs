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

/// Body of a backend's response, or of an error response in its place.
#[derive(Debug)]
pub struct UpstreamBody {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Incoming(Incoming),
    Own(Full<Bytes>),
    /// Bytes after a protocol upgrade.
    Tunnel(ReaderStream<ReadHalf<TokioIo<Upgraded>>>),
}

impl UpstreamBody {
    pub(super) fn incoming(body: Incoming) -> Self {
        Self {
            kind: Kind::Incoming(body),
        }
    }

    pub(super) fn tunnel(bytes: ReaderStream<ReadHalf<TokioIo<Upgraded>>>) -> Self {
        Self {
            kind: Kind::Tunnel(bytes),
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.get_mut().kind {
            Kind::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(BoxError::from),
            Kind::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|error| match error {}),
            Kind::Tunnel(bytes) => {
                let chunk = Pin::new(bytes).poll_next(cx);
                chunk.map_ok(Frame::data).map_err(BoxError::from)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Incoming(body) => body.is_end_stream(),
            Kind::Own(body) => body.is_end_stream(),
            Kind::Tunnel(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Incoming(body) => body.size_hint(),
            Kind::Own(body) => body.size_hint(),
            Kind::Tunnel(_) => SizeHint::default(),
        }
    }
}

impl From<Bytes> for UpstreamBody {
    fn from(data: Bytes) -> Self {
        Self {
            kind: Kind::Own(Full::new(data)),
        }
    }
}

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
pub(crate) enum UpstreamBody {
    Incoming(Incoming),
    Own(Full<Bytes>),
    /// Bytes after a protocol upgrade.
    Tunnel(ReaderStream<ReadHalf<TokioIo<Upgraded>>>),
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(BoxError::from),
            Self::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|error| match error {}),
            Self::Tunnel(bytes) => {
                let chunk = Pin::new(bytes).poll_next(cx);
                chunk.map_ok(Frame::data).map_err(BoxError::from)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(body) => body.is_end_stream(),
            Self::Own(body) => body.is_end_stream(),
            Self::Tunnel(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(body) => body.size_hint(),
            Self::Own(body) => body.size_hint(),
            Self::Tunnel(_) => SizeHint::default(),
        }
    }
}

impl From<Bytes> for UpstreamBody {
    fn from(data: Bytes) -> Self {
        Self::Own(Full::new(data))
    }
}

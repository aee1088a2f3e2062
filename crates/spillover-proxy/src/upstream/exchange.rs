use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use hyper_util::{client::legacy, rt::TokioIo};
use pin_project_lite::pin_project;
use tokio::io::split;
use tokio_util::io::ReaderStream;

use super::{body::Source, error::UpstreamError};
use crate::{Progress, upgrade::UpgradedWriter};

pin_project! {
    /// Future of a response, with or without a protocol upgrade.
    #[project = ExchangeProj]
    pub(super) enum Exchange {
        Plain {
            #[pin]
            response: legacy::ResponseFuture,
        },
        // Boxed, because few requests ask for an upgrade.
        Switch {
            response: Pin<Box<dyn Future<Output = Answer> + Send>>,
        },
    }
}

type Answer = Result<Response<Source>, UpstreamError>;

impl Exchange {
    pub(super) fn plain(response: legacy::ResponseFuture) -> Self {
        Self::Plain { response }
    }

    pub(super) fn switch(response: legacy::ResponseFuture, progress: Option<Progress>) -> Self {
        Self::Switch {
            response: Box::pin(switch(response, progress)),
        }
    }
}

impl Future for Exchange {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let response = match self.project() {
            ExchangeProj::Plain { response } => ready!(response.poll(cx))?,
            ExchangeProj::Switch { response } => return response.as_mut().poll(cx),
        };
        Poll::Ready(if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            Err(UpstreamError::switched())
        } else {
            Ok(response.map(Source::Incoming))
        })
    }
}

async fn switch(response: legacy::ResponseFuture, progress: Option<Progress>) -> Answer {
    let mut response = response.await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response.map(Source::Incoming));
    }
    let backend = hyper::upgrade::on(&mut response).await?;
    let (from_backend, to_backend) = split(TokioIo::new(backend));
    let writer = UpgradedWriter::new(to_backend, progress);
    response.extensions_mut().insert(writer);
    let bytes = ReaderStream::with_capacity(from_backend, CHUNK);
    Ok(response.map(|_| Source::Tunnel(bytes)))
}

/// Read size of an upgraded connection, in bytes. Realtime audio comes in messages of a few KiB.
const CHUNK: usize = 16 << 10;

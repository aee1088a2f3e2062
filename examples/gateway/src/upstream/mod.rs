//! One attempt at one backend: bounds the time to its response head, and turns errors into responses.

mod attempt;
mod body;
mod error;
mod future;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper_util::client::legacy::connect::Connect;
use tower::{BoxError, Service};

pub(crate) use self::body::UpstreamBody;
use self::{attempt::Attempt, future::ResponseFuture};
use crate::client::Client;

/// Calls the client. A failure becomes a 502 or 504, so that layers outside see responses only.
#[derive(Debug)]
pub(crate) struct Upstream<C, B> {
    // Shared: a client is large, and it is cloned with the stack for each request.
    client: Arc<Client<C, B>>,
    timeout: Duration,
}

impl<C, B> Upstream<C, B> {
    pub(crate) fn new(client: Client<C, B>, timeout: Duration) -> Self {
        Self {
            client: Arc::new(client),
            timeout,
        }
    }
}

impl<C, B> Service<Request<B>> for Upstream<C, B>
where
    C: Connect + Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<UpstreamBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The client is always ready; its pool makes connections as they are needed.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let attempt = Attempt::begin(&request);
        ResponseFuture::new(self.client.request(request), self.timeout, attempt)
    }
}

impl<C, B> Clone for Upstream<C, B> {
    fn clone(&self) -> Self {
        Self {
            client: Arc::clone(&self.client),
            timeout: self.timeout,
        }
    }
}

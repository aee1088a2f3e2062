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
use crate::{client::Client, config::Timeouts};

/// Calls the client. A failure becomes a 502 or 504, so that layers outside see responses only.
#[derive(Debug)]
pub(crate) struct Upstream<C, B> {
    /// Of each backend, by its index.
    clients: Arc<[Arc<Client<C, B>>]>,
    timeout: Duration,
}

impl<C, B> Upstream<C, B> {
    pub(crate) fn new(clients: Arc<[Arc<Client<C, B>>]>, timeouts: &Timeouts) -> Self {
        Self {
            clients,
            timeout: timeouts.response_head,
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
        let timeout = attempt
            .time_left()
            .map_or(self.timeout, |left| left.min(self.timeout));
        let client = attempt.index().and_then(|index| self.clients.get(index));
        // Without a choice there is one backend, or whichever: the request says where it goes.
        let client = client.unwrap_or(&self.clients[0]);
        ResponseFuture::new(client.request(request), timeout, attempt)
    }
}

impl<C, B> Clone for Upstream<C, B> {
    fn clone(&self) -> Self {
        Self {
            clients: Arc::clone(&self.clients),
            timeout: self.timeout,
        }
    }
}

//! One attempt at one backend: bounds the time to its response head, and turns errors into responses.

mod attempt;
mod error;
mod future;

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use hyper_util::client::legacy::connect::Connect;
use tower::Service;
use tower_spillover::retry::ReplayBody;

use self::{attempt::Attempt, future::ResponseFuture};
use crate::client::Client;

/// Calls the client. A failure becomes a 502 or 504, so that layers outside see responses only, as axum wants it.
#[derive(Clone, Debug)]
pub(crate) struct Upstream<C> {
    client: Client<C>,
    timeout: Duration,
}

impl<C> Upstream<C> {
    pub(crate) fn new(client: Client<C>, timeout: Duration) -> Self {
        Self { client, timeout }
    }
}

impl<C> Service<Request<ReplayBody<Body>>> for Upstream<C>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The client is always ready; its pool makes connections as they are needed.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<Body>>) -> ResponseFuture {
        let attempt = Attempt::begin(&request);
        ResponseFuture::new(self.client.request(request), self.timeout, attempt)
    }
}

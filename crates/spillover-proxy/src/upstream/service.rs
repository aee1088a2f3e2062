use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header::HOST, uri::Scheme};
use http_body::Body;
use hyper_util::client::legacy::connect::Connect;
use tower::{BoxError, Service};

use super::{
    BackendClient, ResponseFuture, UpstreamBody,
    attempt::Attempt,
    connector::{WSS, with_scheme},
    exchange::Exchange,
};
use crate::{Progress, upgrade::WebSocketRequest};

/// Sends requests by the HTTP client of their backend; see the [module](super). Errors are responses, so that outer layers handle
/// responses only.
#[derive(Debug)]
pub struct Upstream<C, B> {
    /// Clients of each backend, by its index.
    clients: Arc<[BackendClient<C, B>]>,
    timeout: Duration,
    idle: Option<Duration>,
}

impl<C, B> Upstream<C, B> {
    /// Creates the service with the clients of each backend, at least one. `timeout` is the longest time from the start of an
    /// attempt to its response head.
    pub fn new(clients: Arc<[BackendClient<C, B>]>, timeout: Duration) -> Self {
        Self {
            clients,
            timeout,
            idle: None,
        }
    }

    /// Sets the longest time between two chunks of a response body. Default: no limit.
    #[must_use]
    pub fn idle_timeout(self, idle: Option<Duration>) -> Self {
        Self { idle, ..self }
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
        // The client is always ready: it opens connections on demand.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        let attempt = Attempt::begin(&request);
        let timeout = attempt
            .time_left()
            .map_or(self.timeout, |left| left.min(self.timeout));
        let client = attempt.index().and_then(|index| self.clients.get(index));
        // Requests without a selected backend use the first client. Their URI says where they go.
        let client = client.unwrap_or(&self.clients[0]);
        let is_switch = request.extensions().get::<WebSocketRequest>().is_some();
        if let Some(host) = attempt.host().filter(|_| client.is_http1) {
            // The client would build the field from the URI again.
            request.headers_mut().insert(HOST, host.clone());
        }
        let exchange = if is_switch {
            switch(client, request)
        } else if attempt.is_resend() {
            Exchange::plain(client.fresh.request(request))
        } else {
            Exchange::plain(client.kept.request(request))
        };
        ResponseFuture::new(exchange, timeout, self.idle, attempt)
    }
}

fn switch<C, B>(client: &BackendClient<C, B>, mut request: Request<B>) -> Exchange
where
    C: Connect + Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let progress = request.extensions().get::<Progress>().cloned();
    let is_tls = request.uri().scheme() == Some(&Scheme::HTTPS);
    if is_tls && let Ok(wss) = WSS.parse() {
        *request.uri_mut() = with_scheme(wss, request.uri());
    }
    Exchange::switch(client.for_upgrades.request(request), progress)
}

impl<C, B> Clone for Upstream<C, B> {
    fn clone(&self) -> Self {
        Self {
            clients: Arc::clone(&self.clients),
            timeout: self.timeout,
            idle: self.idle,
        }
    }
}

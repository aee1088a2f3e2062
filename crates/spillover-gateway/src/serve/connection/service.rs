use std::{
    cell::RefCell,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{self, Poll, ready},
};

use http::{HeaderValue, Request, Response, StatusCode, Version, header::CONNECTION};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use pin_project_lite::pin_project;
use tokio::time::Duration;
use tower::Service;

use super::{
    ClientFingerprint,
    activity::{Activity, InFlight},
};
use crate::{
    ready::call_ready,
    serve::{RequestBody, ResponseBody, Tunnels},
};

/// The stack of one connection, as hyper calls it. It serves all requests of the connection, and is cloned for none of them.
#[derive(Debug)]
pub(super) struct ConnectionService<S> {
    stack: RefCell<S>,
    peer: Peer,
}

/// What requests are told of their connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) activity: Arc<Activity>,
    pub(super) body_timeout: Duration,
    pub(super) tunnels: Tunnels,
    pub(super) fingerprint: Option<ClientFingerprint>,
}

impl<S> ConnectionService<S> {
    pub(super) fn new(stack: S, peer: Peer) -> Self {
        Self {
            stack: RefCell::new(stack),
            peer,
        }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for ConnectionService<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let Peer {
            activity,
            body_timeout,
            tunnels,
            fingerprint,
        } = &self.peer;
        let in_flight = InFlight::new(activity);
        let is_http1 = request.version() <= Version::HTTP_11;
        let mut request =
            request.map(|body| RequestBody::new(body, *body_timeout, Arc::clone(activity)));
        let extensions = request.extensions_mut();
        if extensions.get::<OnUpgrade>().is_some() {
            extensions.insert(tunnels.clone());
        }
        if let Some(fingerprint) = fingerprint {
            extensions.insert(fingerprint.clone());
        }

        ResponseFuture {
            response: call_ready(&mut *self.stack.borrow_mut(), request),
            in_flight: Some(in_flight),
            is_http1,
        }
    }
}

pin_project! {
    /// The response of the stack.
    pub(super) struct ResponseFuture<F> {
        #[pin]
        response: F,
        in_flight: Option<InFlight>,
        is_http1: bool,
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.response.poll(cx));
        let in_flight = this.in_flight.take().expect("polled after completion");
        let is_tunnel = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if *this.is_http1 && in_flight.activity().is_leaving() && !is_tunnel {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, in_flight))))
    }
}

//! What the gateway answers itself, before any backend is asked.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header::CONTENT_TYPE};
use tower::Service;

use crate::{
    answer::ResponseFuture,
    dialect::{Dialect, ErrorKind, GatewayError},
};

/// Says that the gateway is up, and refuses what is not proxied; the rest goes to the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Front<S> {
    proxy: S,
}

impl<S> Front<S> {
    pub(crate) fn new(proxy: S) -> Self {
        Self { proxy }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Front<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.proxy.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match own_answer(&request) {
            Some(response) => ResponseFuture::answer(response),
            None => ResponseFuture::inner(self.proxy.call(request)),
        }
    }
}

fn own_answer<ReqBody, ResBody: From<Bytes>>(
    request: &Request<ReqBody>,
) -> Option<Response<ResBody>> {
    // CONNECT names an authority and no resource; TRACE would show a client the credential of the backend (RFC 9110
    // sections 9.3.6 and 9.3.8).
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        let dialect = Dialect::of(request.uri(), request.headers());
        return Some(dialect.response(&GatewayError {
            kind: ErrorKind::MethodNotAllowed,
            message: "CONNECT and TRACE are not proxied.".into(),
        }));
    }
    (request.uri().path() == "/healthz").then(|| {
        let mut response = Response::new(Bytes::from_static(b"ok\n").into());
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    })
}

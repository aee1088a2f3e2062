//! Endpoints that the gateway answers itself, such as `/healthz`.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use spillover_proxy::{
    error::{ErrorFormat, ErrorKind, ProxyError},
    future::ResponseFuture,
};
use tokio::time::Instant;
use tower::Service;

use crate::health::Health;

/// Answers `/healthz`, `/readyz` and `GET /`, refuses CONNECT and TRACE, and passes other requests to the proxy.
#[derive(Clone, Debug)]
pub(crate) struct LocalEndpoints<S> {
    proxy: S,
    health: Health,
}

impl<S> LocalEndpoints<S> {
    pub(crate) fn new(proxy: S, health: Health) -> Self {
        Self { proxy, health }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for LocalEndpoints<S>
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
        match local_response(&request, &self.health) {
            Some(response) => ResponseFuture::answer(response),
            None => ResponseFuture::inner(self.proxy.call(request)),
        }
    }
}

fn local_response<ReqBody, ResBody: From<Bytes>>(
    request: &Request<ReqBody>,
    health: &Health,
) -> Option<Response<ResBody>> {
    // CONNECT names an authority and no resource; TRACE would show a client the credential of the backend (RFC 9110
    // sections 9.3.6 and 9.3.8).
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        let format = ErrorFormat::of_request(request.uri(), request.headers());
        return Some(format.response(&ProxyError {
            kind: ErrorKind::MethodNotAllowed,
            message: "CONNECT and TRACE are not proxied.".into(),
        }));
    }
    match request.uri().path() {
        "/healthz" => Some(text(StatusCode::OK, "ok\n")),
        "/readyz" => Some(match health.readiness(Instant::now()) {
            Ok(()) => text(StatusCode::OK, "ready\n"),
            Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        }),
        // Platforms probe this path, and no LLM API uses it. A probe must not use up a request of a backend.
        "/" if matches!(*request.method(), Method::GET | Method::HEAD) => {
            Some(text(StatusCode::OK, "spillover\n"))
        }
        _ => None,
    }
}

fn text<B: From<Bytes>>(status: StatusCode, text: impl Into<Bytes>) -> Response<B> {
    let mut response = Response::new(text.into().into());
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

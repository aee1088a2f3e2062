use std::task::{Context, Poll};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN},
};
use tower::Service;

use super::{future::ResponseFuture, policy::Policy};

/// Service of [`CorsLayer`](super::CorsLayer).
#[derive(Clone, Debug)]
pub struct Cors<S> {
    inner: S,
    policy: Option<Policy>,
}

impl<S> Cors<S> {
    pub(super) fn new(inner: S, policy: Option<Policy>) -> Self {
        Self { inner, policy }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Cors<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(policy) = &self.policy else {
            return ResponseFuture::call(self.inner.call(request), None);
        };
        if is_preflight(&request) {
            return ResponseFuture::answer(preflight(policy, request.headers()));
        }
        let grant = policy.grant(request.headers());
        ResponseFuture::call(self.inner.call(request), Some(grant))
    }
}

fn is_preflight<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight<B: From<Bytes>>(policy: &Policy, request: &HeaderMap) -> Response<B> {
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let grant = policy.grant(request);
    grant.write_preflight(response.headers_mut(), request);
    response
}

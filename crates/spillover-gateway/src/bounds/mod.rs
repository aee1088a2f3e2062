//! Bounds a request as a whole: how large its body may be, and how long it may take.

mod body;

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::CONTENT_LENGTH};
use http_body::Body;
use tokio::time::Instant;
use tower::{Layer, Service};

pub(crate) use self::body::{BodyTooLarge, BoundedBody};
use crate::{
    answer::ResponseFuture,
    dialect::{Dialect, ErrorKind, GatewayError},
};

/// Refuses bodies that are too large, and says by a [`Deadline`] when a request is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoundsLayer {
    body: Option<u64>,
    total: Option<Duration>,
}

/// In the request's extensions: when its response has to be at its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// What the request had in all.
    pub(crate) total: Duration,
}

impl Deadline {
    /// Whether so much of the time is the smaller part: then most was spent before, elsewhere.
    pub(crate) fn is_rest(&self, time: Duration) -> bool {
        time * 2 < self.total
    }
}

impl BoundsLayer {
    pub(crate) fn new(body: Option<u64>, total: Option<Duration>) -> Self {
        Self { body, total }
    }
}

impl<S> Layer<S> for BoundsLayer {
    type Service = Bounds<S>;

    fn layer(&self, inner: S) -> Bounds<S> {
        Bounds {
            inner,
            bounds: *self,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Bounds<S> {
    inner: S,
    bounds: BoundsLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Bounds<S>
where
    S: Service<Request<BoundedBody<ReqBody>>, Response = Response<ResBody>, Error = Infallible>,
    ReqBody: Body<Data = Bytes>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let BoundsLayer { body: limit, total } = self.bounds;
        if let Some(limit) = limit
            && announced_length(request.headers()).is_some_and(|length| length > limit)
        {
            return ResponseFuture::answer(too_large(&request, limit));
        }
        if let Some(total) = total {
            let at = Instant::now() + total;
            request.extensions_mut().insert(Deadline { at, total });
        }
        let request = request.map(|body| BoundedBody::new(body, limit));
        ResponseFuture::inner(self.inner.call(request))
    }
}

/// What the client says that its body has.
pub(crate) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large<ReqBody, ResBody: From<Bytes>>(
    request: &Request<ReqBody>,
    limit: u64,
) -> Response<ResBody> {
    let dialect = Dialect::of(request.uri(), request.headers());
    dialect.response(&GatewayError {
        kind: ErrorKind::TooLarge,
        message: BodyTooLarge { limit }.to_string(),
    })
}

//! Limits of a request as a whole: the size of its body and its total time.
//!
//! A request whose `content-length` is above the limit gets 413 at once. A longer body without that field fails with
//! [`BodyTooLarge`] when it passes the limit. The total time is an extension, [`Deadline`], which inner layers obey.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use spillover_proxy::limits::{LimitedBody, RequestLimitsLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(RequestLimitsLayer::new(Some(5), None))
//!     .service(service_fn(async |request: Request<LimitedBody<Full<Bytes>>>| {
//!         let status = match request.into_body().collect().await {
//!             Ok(_) => 200,
//!             Err(_) => 413,
//!         };
//!         let response = Response::builder().status(status);
//!         Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
//!     }));
//! for (body, status) in [("12345", 200), ("123456", 413)] {
//!     let request = Request::post("/").body(Full::from(body)).unwrap();
//!     let response = service.clone().oneshot(request).await.unwrap();
//!     assert_eq!(response.status(), status);
//! }
//! # }
//! ```

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

pub use self::body::{BodyTooLarge, LimitedBody};
use crate::{
    error::{ErrorFormat, ErrorKind, ProxyError},
    future::ResponseFuture,
};

/// Limits requests; see the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct RequestLimitsLayer {
    body: Option<u64>,
    total: Option<Duration>,
}

/// Time at which the response of a request has to end. An extension of requests.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// The end.
    pub at: Instant,
    /// Total time of the request.
    pub total: Duration,
}

impl Deadline {
    /// Returns true if `left` is less than half of the total time, so that most of it was spent before.
    pub fn is_mostly_spent(&self, left: Duration) -> bool {
        left * 2 < self.total
    }

    /// Returns true if less than half of the total time is left at `now`.
    pub fn is_mostly_spent_at(&self, now: Instant) -> bool {
        self.is_mostly_spent(self.at - now)
    }
}

impl RequestLimitsLayer {
    /// Creates a layer with the greatest size of a body in bytes, and the greatest total time. `None`: no limit.
    #[must_use]
    pub fn new(body: Option<u64>, total: Option<Duration>) -> Self {
        Self { body, total }
    }
}

impl<S> Layer<S> for RequestLimitsLayer {
    type Service = RequestLimits<S>;

    fn layer(&self, inner: S) -> RequestLimits<S> {
        RequestLimits {
            inner,
            limits: *self,
        }
    }
}

/// Service of [`RequestLimitsLayer`].
#[derive(Clone, Debug)]
pub struct RequestLimits<S> {
    inner: S,
    limits: RequestLimitsLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequestLimits<S>
where
    S: Service<Request<LimitedBody<ReqBody>>, Response = Response<ResBody>, Error = Infallible>,
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
        let RequestLimitsLayer { body: limit, total } = self.limits;
        if let Some(limit) = limit
            && content_length(request.headers()).is_some_and(|length| length > limit)
        {
            return ResponseFuture::answer(too_large(&request, limit));
        }
        if let Some(total) = total {
            let at = Instant::now() + total;
            request.extensions_mut().insert(Deadline { at, total });
        }
        let request = request.map(|body| LimitedBody::new(body, limit));
        ResponseFuture::inner(self.inner.call(request))
    }
}

/// Returns the `content-length` of a message, if it is a number.
#[must_use]
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large<ReqBody, ResBody: From<Bytes>>(
    request: &Request<ReqBody>,
    limit: u64,
) -> Response<ResBody> {
    let format = ErrorFormat::of_request(request.uri(), request.headers());
    format.response(&ProxyError {
        kind: ErrorKind::TooLarge,
        message: BodyTooLarge { limit }.to_string(),
    })
}

//! Access log: one line per request, at level `INFO`, when the response has ended or was dropped.
//!
//! | field | value |
//! |---|---|
//! | `method`, `path`, `status` | of request and response; the path without the query, which can hold a key |
//! | `client`, `pool` | names that inner layers set by [`Progress`](crate::Progress) |
//! | `client_certificate` | see [`AccessLogLayer::client_certificate`] |
//! | `backend`, `attempts`, `spill` | the latest attempt: label, number, and true for a lower tier |
//! | `duration_ms`, `bytes` | from the request to the end of the response body, and the size of that |
//! | `bytes_in` | bytes from the client after an upgrade |
//! | `request_id` | the request's `x-request-id`, e.g. of tower-http's `SetRequestIdLayer` around this layer |
//! | `upstream_request_id` | the id that the backend gave the request: the response's `x-request-id` (OpenAI, Azure OpenAI), `request-id` (Anthropic), `apim-request-id` (Azure OpenAI) or `x-amzn-requestid` (AWS) |
//! | `end` | `complete`, `broken` (by the backend) or `cancelled` (by the client) |
//!
//! tower-http's `TraceLayer` logs the head and the end of a response as separate events. This layer writes a single line at
//! the end of the body, with the number of its bytes.
//!
//! # Example
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use spillover_proxy::{Progress, access_log::AccessLogLayer};
//! use spillover_testing::CapturedLog;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tracing::Level;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let (log, guard) = CapturedLog::start(Level::INFO);
//! let service = ServiceBuilder::new()
//!     .layer(AccessLogLayer::new())
//!     .service(service_fn(async |request: Request<()>| {
//!         let progress = request.extensions().get::<Progress>().unwrap();
//!         progress.set_pool(&"chat".into());
//!         Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
//!     }));
//! let request = Request::get("/v1/models?key=secret").body(()).unwrap();
//! let response = service.oneshot(request).await.unwrap();
//! response.into_body().collect().await.unwrap();
//!
//! drop(guard);
//! let log = log.text();
//! assert!(log.contains(r#"request method=GET path="/v1/models" status=200 pool="chat""#));
//! assert!(log.contains(r#"bytes=5 end="complete""#));
//! assert!(!log.contains("secret"));
//! # }
//! ```

mod body;
mod future;
mod record;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response};
use http_body::Body;
use tower::{Layer, Service};

use self::record::Record;
pub use self::{body::LoggedBody, future::ResponseFuture};

/// Reads the name of a client's certificate from the extensions of a request.
type Certificate = fn(&Extensions) -> Option<Arc<str>>;

/// Logs each request; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessLogLayer {
    certificate: Option<Certificate>,
}

impl AccessLogLayer {
    /// Creates a layer that logs no client certificates.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Logs what `get` returns as `client_certificate`, e.g. the fingerprint that a TLS server has put in the extensions.
    #[must_use]
    pub fn client_certificate(mut self, get: fn(&Extensions) -> Option<Arc<str>>) -> Self {
        self.certificate = Some(get);
        self
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> AccessLog<S> {
        AccessLog {
            inner,
            certificate: self.certificate,
        }
    }
}

/// Service of [`AccessLogLayer`].
#[derive(Clone, Debug)]
pub struct AccessLog<S> {
    inner: S,
    certificate: Option<Certificate>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for AccessLog<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible>,
    ResBody: Body,
{
    type Response = Response<LoggedBody<ResBody>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let is_logged = tracing::enabled!(tracing::Level::INFO);
        let record = is_logged.then(|| Record::start(&mut request, self.certificate));
        ResponseFuture::new(self.inner.call(request), record)
    }
}

#[cfg(test)]
mod tests;

//! Rewrites URLs of a backend in response fields to URLs of the proxy.
//!
//! A response may name a URL to go on with: the second step of an upload, or the state of an operation. With the address of the
//! backend, the client would go past the proxy, and with a key that the backend does not know. The layer puts scheme and authority
//! of the client's request in their place, and removes the base path of the backend:
//!
//! | field | sent by |
//! |---|---|
//! | `x-goog-upload-url`, `x-goog-upload-control-url` | [Gemini](https://ai.google.dev/api/files), for resumable uploads |
//! | `operation-location` | [Azure](https://learn.microsoft.com/azure/architecture/patterns/async-request-reply), for operations |
//! | `location`, `content-location` | all ([RFC 9110, sections 10.2.2 and 8.7](https://www.rfc-editor.org/rfc/rfc9110)) |
//!
//! URLs of other hosts, relative ones, and responses without a [`Selected`] pass unchanged. The scheme is that of
//! `x-forwarded-proto`, else of the request's target, else the [default](ResponseUrlsLayer::default_scheme).
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use spillover_core::{Backend, Pool, Query};
//! use spillover_proxy::response_urls::ResponseUrlsLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new([Backend::builder("a").url("https://a.example/gemini").build()?])?;
//! let selected = pool.select(&Query::new(), tokio::time::Instant::now(), 0).unwrap();
//! let service = ServiceBuilder::new()
//!     .layer(ResponseUrlsLayer::new())
//!     .service(service_fn(move |_: Request<()>| {
//!         let url = "https://a.example/gemini/upload/v1beta/files?upload_id=1";
//!         let response = Response::builder().header("x-goog-upload-url", url);
//!         let response = response.extension(selected.clone()).body(());
//!         async { Ok::<_, Infallible>(response.unwrap()) }
//!     }));
//! let request = Request::post("/upload/v1beta/files").header("host", "proxy.example:8080");
//! let response = service.oneshot(request.body(())?).await?;
//! let url = "http://proxy.example:8080/upload/v1beta/files?upload_id=1";
//! assert_eq!(response.headers()["x-goog-upload-url"], url);
//! # Ok(())
//! # }
//! ```

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, Uri,
    header::{CONTENT_LOCATION, HOST, LOCATION},
    uri::{Authority, Scheme},
};
use pin_project_lite::pin_project;
use spillover_core::{Backend, Selected};
use tower::{Layer, Service};

/// Rewrites URLs of a backend in response fields; see the [module](self).
#[derive(Clone, Debug)]
pub struct ResponseUrlsLayer {
    default_scheme: Scheme,
}

impl ResponseUrlsLayer {
    /// Creates the layer, for a proxy that clients reach without TLS.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the scheme for requests that do not tell theirs. Default: `http`.
    #[must_use]
    pub fn default_scheme(self, default_scheme: Scheme) -> Self {
        Self { default_scheme }
    }
}

impl Default for ResponseUrlsLayer {
    fn default() -> Self {
        Self {
            default_scheme: Scheme::HTTP,
        }
    }
}

impl<S> Layer<S> for ResponseUrlsLayer {
    type Service = ResponseUrls<S>;

    fn layer(&self, inner: S) -> ResponseUrls<S> {
        ResponseUrls {
            inner,
            default_scheme: self.default_scheme.clone(),
        }
    }
}

/// Service of [`ResponseUrlsLayer`].
#[derive(Clone, Debug)]
pub struct ResponseUrls<S> {
    inner: S,
    default_scheme: Scheme,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ResponseUrls<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let origin = Origin::of_request(&request, &self.default_scheme);
        ResponseFuture {
            inner: self.inner.call(request),
            origin,
        }
    }
}

pin_project! {
    /// Response future of [`ResponseUrls`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        origin: Origin,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        // One pass costs less than to look up each.
        if response.headers().keys().any(|name| FIELDS.contains(name))
            && let Some(selected) = response.extensions().get::<Selected>().cloned()
        {
            this.origin
                .rewrite(response.headers_mut(), selected.backend());
        }
        Poll::Ready(Ok(response))
    }
}

/// The address under which the client reaches the proxy.
#[derive(Debug)]
struct Origin {
    scheme: Scheme,
    /// The value of `host`, for HTTP/1.1.
    host: Option<HeaderValue>,
    /// The authority of the target, for HTTP/2.
    authority: Option<Authority>,
}

impl Origin {
    fn of_request<B>(request: &Request<B>, default_scheme: &Scheme) -> Self {
        let uri = request.uri();
        let forwarded = || {
            let proto = request.headers().get(X_FORWARDED_PROTO)?;
            match proto.as_bytes() {
                b"https" => Some(Scheme::HTTPS),
                b"http" => Some(Scheme::HTTP),
                _ => None,
            }
        };
        Self {
            scheme: forwarded()
                .or_else(|| uri.scheme().cloned())
                .unwrap_or_else(|| default_scheme.clone()),
            host: request.headers().get(HOST).cloned(),
            authority: uri.authority().cloned(),
        }
    }

    fn authority(&self) -> Option<&str> {
        let authority = self.authority.as_ref().map(Authority::as_str);
        authority.or_else(|| self.host.as_ref()?.to_str().ok())
    }

    fn rewrite(&self, headers: &mut HeaderMap, backend: &Backend) {
        for name in &FIELDS {
            if let Some(url) = headers
                .get(name)
                .and_then(|url| self.rewritten(url, backend))
            {
                headers.insert(name, url);
            }
        }
    }

    /// Returns the URL of the proxy for one of the backend. `None` for other URLs.
    fn rewritten(&self, url: &HeaderValue, backend: &Backend) -> Option<HeaderValue> {
        let url = Uri::try_from(url.as_bytes()).ok()?;
        if url.authority()? != backend.authority() {
            return None;
        }
        let base = Uri::try_from(backend.url()).ok()?;
        let target = url.path_and_query()?.as_str();
        let below = target.strip_prefix(base.path().trim_end_matches('/'));
        let target = below
            .filter(|below| below.starts_with('/'))
            .unwrap_or(target);
        let (scheme, authority) = (&self.scheme, self.authority()?);
        HeaderValue::try_from(format!("{scheme}://{authority}{target}")).ok()
    }
}

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

static FIELDS: [HeaderName; 5] = [
    HeaderName::from_static("x-goog-upload-url"),
    HeaderName::from_static("x-goog-upload-control-url"),
    HeaderName::from_static("operation-location"),
    LOCATION,
    CONTENT_LOCATION,
];

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use spillover_core::{Pool, Query};
    use tokio::time::Instant;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// Passes a request to a backend that answers with this field.
    async fn pass(request: Request<()>, field: &'static str, url: &'static str) -> String {
        let backend = Backend::builder("a").url("https://a.example:8443/base");
        let pool = Pool::new([backend.build().unwrap()]).unwrap();
        let selected = pool.select(&Query::new(), Instant::now(), 0).unwrap();
        let service = ResponseUrlsLayer::new().layer(service_fn(move |_: Request<()>| {
            let response = Response::builder().header(field, url);
            let response = response.extension(selected.clone()).body(()).unwrap();
            async { Ok::<_, Infallible>(response) }
        }));
        let Ok(response) = service.oneshot(request).await;
        response.headers()[field].to_str().unwrap().to_owned()
    }

    fn request() -> Request<()> {
        let request = Request::post("/v1/start").header("host", "proxy:8080");
        request.body(()).unwrap()
    }

    #[tokio::test]
    async fn url_of_the_backend_becomes_one_of_the_proxy() {
        let path = "https://a.example:8443/base/v1/operations/1?api-version=2";
        for field in ["operation-location", "location", "x-goog-upload-url"] {
            let url = pass(request(), field, path).await;
            assert_eq!(url, "http://proxy:8080/v1/operations/1?api-version=2");
        }
        let outside = pass(request(), "location", "https://a.example:8443/other").await;
        assert_eq!(outside, "http://proxy:8080/other");
    }

    #[tokio::test]
    async fn scheme_is_that_of_the_client() {
        let url = "https://a.example:8443/base/x";
        let mut forwarded = request();
        let https = HeaderValue::from_static("https");
        forwarded.headers_mut().insert("x-forwarded-proto", https);
        assert_eq!(
            pass(forwarded, "location", url).await,
            "https://proxy:8080/x"
        );
        let http2 = Request::post("https://proxy.example/v1/start");
        let http2 = http2.body(()).unwrap();
        assert_eq!(
            pass(http2, "location", url).await,
            "https://proxy.example/x"
        );
    }

    #[tokio::test]
    async fn other_urls_pass_unchanged() {
        for url in [
            "/v1/operations/1",
            "https://other.example/x",
            "https://a.example/base/x",
            "not a url",
        ] {
            assert_eq!(pass(request(), "location", url).await, url);
        }
    }
}

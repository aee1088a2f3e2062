//! Answers with status 500 when an inner service panics.
//!
//! The response has the format of the client's API. The panic is logged at level `ERROR` with the request's `x-request-id`,
//! and without its message, which may hold a value of the request. Rust's panic hook writes message and location to standard
//! error. A panic of a response body is not caught: it ends the connection.
//!
//! The layer differs from tower-http's `CatchPanicLayer` in two ways. Its response depends on the request, and it does not box
//! the body of every response.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use spillover_proxy::catch_panic::CatchPanicLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # std::panic::set_hook(Box::new(|_| {}));
//! let service = ServiceBuilder::new()
//!     .layer(CatchPanicLayer)
//!     .service(service_fn(async |request: Request<()>| {
//!         let known = request.headers().get("x-known").expect("a field that is missing");
//!         let body = Full::<Bytes>::from(known.as_bytes().to_vec());
//!         Ok::<_, Infallible>(Response::new(body))
//!     }));
//! let response = service.oneshot(Request::get("/v1/models").body(()).unwrap()).await.unwrap();
//! assert_eq!(response.status(), 500);
//! # }
//! ```

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    X_REQUEST_ID,
    error::{ErrorFormat, ErrorKind, ProxyError},
};

/// Answers panics of the inner service; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct CatchPanicLayer;

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic { inner }
    }
}

/// Service of [`CatchPanicLayer`].
#[derive(Clone, Debug)]
pub struct CatchPanic<S> {
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for CatchPanic<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let on_panic = OnPanic {
            format: ErrorFormat::of_request(request.uri(), request.headers()),
            request_id: request.headers().get(X_REQUEST_ID).cloned(),
        };
        // The inner service may be called again after a panic, as after a panic of one of its futures.
        let inner = catch_unwind(AssertUnwindSafe(|| self.inner.call(request)));
        ResponseFuture {
            inner: inner.ok(),
            on_panic,
        }
    }
}

/// The parts of a request that the response to a panic needs.
struct OnPanic {
    format: ErrorFormat,
    request_id: Option<HeaderValue>,
}

impl OnPanic {
    #[cold]
    fn response<B: From<Bytes>>(&self) -> Response<B> {
        let request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok());
        tracing::error!(request_id, "panic in a layer: the request gets status 500");
        self.format.response(&ProxyError {
            kind: ErrorKind::Internal,
            message: "The gateway has an internal error.".into(),
        })
    }
}

pin_project! {
    /// Response future of [`CatchPanic`].
    pub struct ResponseFuture<F> {
        // `None` after a panic.
        #[pin]
        inner: Option<F>,
        on_panic: OnPanic,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(Ok(this.on_panic.response()));
        };
        // A future that panicked is dropped and never polled again.
        if let Ok(polled) = catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            return polled;
        }
        this.inner.set(None);
        Poll::Ready(Ok(this.on_panic.response()))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full};
    use spillover_testing::CapturedLog;
    use tower::{ServiceExt, service_fn};
    use tracing::Level;

    use super::*;

    fn request(path: &str) -> Request<()> {
        let request = Request::post(path).header("x-request-id", "id-7");
        request.body(()).unwrap()
    }

    /// Panics at once if the path is `/call`, else in its future.
    fn panics(
        request: Request<()>,
    ) -> impl Future<Output = Result<Response<Full<Bytes>>, Infallible>> {
        assert_ne!(request.uri().path(), "/call", "s3cret");
        async move { panic!("s3cret of {}", request.uri()) }
    }

    #[tokio::test]
    async fn panics_get_status_500_in_the_format_of_the_client_and_are_logged() {
        let (log, guard) = CapturedLog::start(Level::ERROR);
        for (path, kind) in [("/call", "server_error"), ("/v1/messages", "api_error")] {
            let service = CatchPanicLayer.layer(service_fn(panics));
            let response = service.oneshot(request(path)).await.unwrap();
            assert_eq!(response.status(), 500);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"]["type"], kind);
        }
        drop(guard);
        assert_eq!(log.count(&[r#"request_id="id-7""#]), 2, "{}", log.text());
        assert!(!log.text().contains("s3cret"), "{}", log.text());
    }

    #[tokio::test]
    async fn service_goes_on_after_a_panic() {
        let mut calls = 0;
        let mut service = CatchPanicLayer.layer(service_fn(move |_: Request<()>| {
            calls += 1;
            assert!(calls > 1, "the first call");
            async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("fine"))) }
        }));
        for status in [500, 200] {
            let service = service.ready().await.unwrap();
            let response = service.call(request("/")).await.unwrap();
            assert_eq!(response.status(), status);
        }
    }
}

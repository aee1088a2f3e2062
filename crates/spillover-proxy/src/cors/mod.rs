//! CORS: lets the pages of other origins call the proxy (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! With allowed origins
//!
//! * a preflight (`OPTIONS` with `origin` and `access-control-request-method`) is answered here, because it has no key and no
//!   backend knows the origins. Every method and field that it asks for is allowed. Other `OPTIONS` requests pass;
//! * responses permit the page to read them and all of their fields, in place of the CORS fields of a backend.
//!
//! Without allowed origins nothing is added or answered. Credentials in the sense of CORS (cookies) are not allowed, so that
//! `*` can stand for all fields. CORS only restricts browsers; [`client_keys`](crate::client_keys) restricts clients.
//!
//! tower-http's `CorsLayer` answers every `OPTIONS` request, requires bodies with a default, and allocates for each request.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{HeaderValue, Request, Response};
//! use http_body_util::Full;
//! use spillover_proxy::cors::{AllowedOrigins, CorsLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let page = HeaderValue::from_static("https://chat.example.com");
//! let service = ServiceBuilder::new()
//!     .layer(CorsLayer::new(Some(&AllowedOrigins::List(vec![page.clone()]))))
//!     .service(service_fn(async |_: Request<()>| {
//!         Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//! let preflight = Request::options("/v1/models")
//!     .header("origin", page.clone())
//!     .header("access-control-request-method", "GET");
//! let response = service.oneshot(preflight.body(()).unwrap()).await.unwrap();
//! assert_eq!(response.status(), 204);
//! assert_eq!(response.headers()["access-control-allow-origin"], page);
//! # }
//! ```

mod future;
mod layer;
mod policy;
mod service;
#[cfg(test)]
mod tests;

pub use self::{future::ResponseFuture, layer::CorsLayer, policy::AllowedOrigins, service::Cors};

//! One inner service per backend: a tonic `Channel`, a client with its own connections or certificates.
//!
//! Behaviour of [`BackendSteer`]:
//!
//! * it passes a request to the service of the backend in its [`Selected`](spillover_core::Selected);
//! * a request without one, or with one of another pool, gets the error [`NotSelected`].
//!
//! The service stands at the bottom of the stack, in place of a shared client.
//!
//! The service is always ready: the inner service that must be ready is not known before the request is seen, and making all of
//! them ready would reserve a place in each to use one. Readiness is driven inside the future, on the chosen service alone. The
//! price: back-pressure does not show in `poll_ready`, so bound concurrency outside the stack.
//!
//! ```
//! # #[cfg(feature = "select")] {
//! # use std::convert::Infallible;
//! use http::{Request, Response};
//! use spillover_core::{Backend, Pool};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{select::PrioritySelectLayer, steer::BackendSteer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let pool = Pool::new([
//!     Backend::builder("a").url("http://a.example").priority(1).build()?,
//!     Backend::builder("b").url("http://b.example").priority(2).build()?,
//! ])?;
//! let steer = BackendSteer::new(&pool, |backend| {
//!     let label = backend.label().to_owned();
//!     service_fn(move |_: Request<()>| std::future::ready(Ok::<_, Infallible>(Response::new(label.clone()))))
//! });
//! let service = ServiceBuilder::new().layer(PrioritySelectLayer::new(pool)).service(steer);
//!
//! let response = service.oneshot(Request::new(())).await?;
//! assert_eq!(response.body(), "a");
//! # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! # }).unwrap();
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod error;
mod future;
mod service;
#[cfg(test)]
mod tests;

pub use self::{error::NotSelected, future::ResponseFuture, service::BackendSteer};

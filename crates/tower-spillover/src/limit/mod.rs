//! Bounds how many requests are under way at once, to the end of the answer's body.
//!
//! Behaviour of the layer:
//!
//! * `poll_ready` waits for a permit, in the order of asking, and then for the inner service: the bound is back-pressure;
//! * a request has its permit until the body of the answer ends, fails or is dropped, or until it fails or is dropped before
//!   it has an answer;
//! * requests and answers are not touched.
//!
//! The layer goes outside [`RetryThrottled`](crate::retry): a request has one permit for all of its attempts.
//!
//! ```
//! # use std::convert::Infallible;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::limit::ConcurrencyLimitLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let service = ServiceBuilder::new()
//!     .layer(ConcurrencyLimitLayer::new(1))
//!     .service(service_fn(|_: Request<()>| async {
//!         Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from("a long answer")))
//!     }));
//!
//! let answer = service.clone().oneshot(Request::new(())).await?;
//! let mut next = tokio_test::task::spawn(service.oneshot(Request::new(())));
//! assert!(next.poll().is_pending());
//!
//! answer.into_body().collect().await?;
//! assert!(next.is_woken() && next.poll().is_ready());
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Other limits
//!
//! [`tower::limit::ConcurrencyLimit`](https://docs.rs/tower/latest/tower/limit/struct.ConcurrencyLimit.html) counts a request
//! until the head of its answer: of streams, which have their head at once, it lets any number through. This one bounds what
//! is under way here, over all backends, and lets the rest wait. A bound per backend, beyond which requests go to the next
//! one, is [`BackendBuilder::max_concurrency`](spillover_core::BackendBuilder::max_concurrency), with
//! [`ThrottleTracker`](crate::throttle).

mod acquire;
mod future;
mod layer;
mod permit;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    future::ResponseFuture, layer::ConcurrencyLimitLayer, permit::Permit, service::ConcurrencyLimit,
};

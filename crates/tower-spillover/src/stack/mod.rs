//! The usual stack of layers in one call.
//!
//! [`SpilloverLayer`] puts together, from the outside to the inside: [`RetryThrottled`](crate::retry), if asked for
//! [`Hedge`](crate::hedge), [`PrioritySelect`](crate::select), [`RewriteRequest`](crate::rewrite),
//! [`ThrottleTracker`](crate::throttle) and [`Peek`](crate::peek), which also does the work of
//! [`ReadRefusalLayer`](crate::refusal). The options of each layer are set through `SpilloverLayer`, which prints its layers.
//!
//! The stack goes around the client, or around a [`BackendSteer`](crate::steer) over clients. A timeout per attempt, such as
//! `tower::timeout`, goes between it and the client.
//!
//! ```
//! # use std::convert::Infallible;
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use spillover_core::{Backend, PeakEwma, Pool, Selected};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{hedge::HedgeLayer, select::WhenExhausted, stack::SpilloverLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let pool = Pool::new([
//!     Backend::builder("ptu").url("https://ptu.example").priority(1).build()?,
//!     Backend::builder("payg").url("https://payg.example").priority(2).build()?,
//! ])?;
//! let layer = SpilloverLayer::new(pool)
//!     .retry(|retry| retry.max_attempts(3))
//!     .hedge(HedgeLayer::new(Duration::from_secs(2)))
//!     .select(|select| select.when_exhausted(WhenExhausted::Reject).with_strategy(PeakEwma::default()));
//! assert_eq!(layer.to_string(), "\
//! RetryThrottled    at most 3 attempts
//! Hedge             a second attempt after 2s
//! PrioritySelect    ptu (1), payg (2); when all are closed: Reject
//! RewriteRequest    address and credential of the backend
//! ThrottleTracker   closes what refuses
//! Peek              into refusals in doubt, and streams until the first content, 65536 bytes, 5s");
//!
//! // Stands in for an HTTP client: the first backend is at its limit.
//! let client = service_fn(|request: Request<_>| async move {
//!     let status = if request.uri().host() == Some("ptu.example") { 429 } else { 200 };
//!     Ok::<_, Infallible>(Response::builder().status(status).body(Full::<Bytes>::default()).unwrap())
//! });
//! let stack = ServiceBuilder::new().layer(layer).service(client);
//!
//! let request = Request::post("/v1/chat/completions").body(Full::<Bytes>::from("{}"))?;
//! let response = stack.oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.extensions().get::<Selected>().unwrap().backend().label(), "payg");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod display;
mod layer;
mod service;
#[cfg(test)]
mod tests;
mod track;

pub use self::{
    layer::SpilloverLayer,
    service::{ResponseBody, ResponseFuture, Spillover},
};

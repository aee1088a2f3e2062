//! Bounds an attempt by a share of the time that the client waits, so that another backend can still answer in time.
//!
//! Applies to a request that says how long its client waits, in one of these fields:
//!
//! | field | sent by | form |
//! |---|---|---|
//! | `x-stainless-read-timeout` | OpenAI's SDK for Python | seconds, decimals allowed |
//! | `x-stainless-timeout` | the SDKs of Anthropic and others | the same |
//! | `x-server-timeout` | Google's `genai` SDKs | the same |
//! | `grpc-timeout` | clients of gRPC ([gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests)) | up to eight digits and a unit: `100m` |
//! | `ttl=` in `amz-sdk-request` | the SDKs of AWS, from the second attempt | a time of day: `20201231T235959Z` |
//!
//! * while another backend is [open](spillover_core::layer::SelectedProtocol::has_open_candidate) for the request, an attempt has half of the
//!   time that is left to begin its answer. Where the backend usually takes between a quarter and three quarters of that time,
//!   the attempt has twice what is usual, up to three quarters. For example a client that waits for 10 s gives the first of three backends
//!   5 s, and the second 2.5 s;
//! * an attempt whose time is over becomes an answer with status 504 and an [`Outcome`](spillover_core::Outcome) of class
//!   [`Late`](spillover_core::Class::Late), after which `RetryThrottled` asks the next backend. Nothing is held against this
//!   one: a slow answer for an impatient client does not close it for others. The attempt counts as given up, and a
//!   run of these makes the backend [suspect](spillover_core::Condition::Suspect);
//! * the last attempt has no limit: the client ends it.
//!
//! A request without such a field passes through, and so does one that cannot be sent again: without `RetryThrottled`, at its
//! last attempt, with a body that was not kept. The least time of several fields counts. A value that cannot be read, or of
//! less than 100 ms, is ignored. The time counts from the first attempt, or from when the request began to wait for a
//! backend.
//!
//! The layer goes inside [`ThrottleTracker`](crate::throttle), next to the client:
//!
//! ```
//! # #[cfg(feature = "full")] {
//! # use std::{convert::Infallible, time::Duration};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{Backend, Pool, Selected, patience::PatienceLayer, stack::SpilloverLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let pool = Pool::new([
//!     Backend::builder("hangs").url("http://a.example").build()?,
//!     Backend::builder("works").url("http://b.example").priority(2).build()?,
//! ])?;
//! let service = ServiceBuilder::new()
//!     .layer(SpilloverLayer::new(pool))
//!     .layer(PatienceLayer::new())
//!     .service(service_fn(|request: Request<_>| async move {
//!         if request.uri().host() == Some("a.example") {
//!             std::future::pending::<()>().await;
//!         }
//!         Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("answer")))
//!     }));
//!
//! let request = Request::get("/v1/models").header("x-stainless-read-timeout", "1");
//! let begun = tokio::time::Instant::now();
//! let response = service.oneshot(request.body(Full::<Bytes>::default())?).await?;
//! assert_eq!(begun.elapsed(), Duration::from_millis(500));
//! assert_eq!(response.extensions().get::<Selected>().unwrap().backend().label(), "works");
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "answer");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Caveats
//!
//! The answer of an attempt that is over has the empty body of the response type, which must be `Default`.
//!
//! A backend whose answers usually take longer than half of the time that clients wait loses some of its slower answers to the
//! next backend.

mod future;
mod layer;
mod limit;
mod read;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    future::ResponseFuture, layer::PatienceLayer, limit::AttemptLimit, read::patience_of,
    service::Patience,
};

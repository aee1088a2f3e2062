//! Counts a request as in flight until the body of its answer ends.
//!
//! What it does with a request that has a [`Selected`] in its extensions:
//!
//! * when the body of the answer ends, fails or is dropped, the `Selected` is [released][release]: neither
//!   earlier, as the backend is still at it, nor later, as when somebody keeps the extensions of the answer. An attempt that
//!   fails or is dropped before it has an answer is released then;
//! * a body that fails after its head had been passed on cannot be taken back: it is counted
//!   ([`Counts::broken`](spillover_core::Counts::broken)), and is an event at level `WARN`.
//!
//! Without a `Selected` requests and answers pass through.
//!
//! It goes inside [`PrioritySelect`](crate::select), which writes the `Selected`, and outside
//! [`ThrottleTracker`](crate::throttle).
//!
//! ```
//! # #[cfg(feature = "select")] {
//! # use std::convert::Infallible;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use spillover_core::{Backend, Pool, Scope};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{in_flight::InFlightLayer, select::PrioritySelectLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let pool = Pool::new([Backend::builder("a").url("http://a.example").max_concurrency(1).build()?])?;
//! let service = ServiceBuilder::new()
//!     .layer(PrioritySelectLayer::new(pool.clone()))
//!     .layer(InFlightLayer::new())
//!     .service(service_fn(|_: Request<()>| async {
//!         Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from("a long answer")))
//!     }));
//!
//! let (head, body) = service.oneshot(Request::new(())).await?.into_parts();
//! let in_flight = || pool.snapshot(Scope::WHOLE, tokio::time::Instant::now())[0].in_flight();
//! assert_eq!(in_flight(), 1);
//! body.collect().await?;
//! assert_eq!(in_flight(), 0);
//! # drop(head);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # What depends on it
//!
//! [`BackendBuilder::max_concurrency`](spillover_core::BackendBuilder::max_concurrency), by which requests go to the next
//! backend when one has enough of them, and [`PeakEwma`](spillover_core::PeakEwma), which compares backends by their number.
//! Without this layer a request counts until all clones of its `Selected` are dropped: in most servers that is when the head
//! of the answer was sent, too early for a stream. To bound the requests of all backends together, letting the rest wait, is
//! what [`ConcurrencyLimit`](crate::limit) does.
//!
//! [`Selected`]: spillover_core::Selected
//! [release]: spillover_core::Selected::release

mod future;
mod layer;
mod place;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    future::ResponseFuture, layer::InFlightLayer, place::InFlightPlace, service::InFlight,
};

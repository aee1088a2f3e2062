//! Sends a request that waits too long for its answer to a second backend as well, and takes the first good answer.
//!
//! A few requests in a hundred are slow for reasons that lie with one backend: a queue, a cold replica, a lost packet. The
//! same request at another backend is then mostly quick (Dean and Barroso, "The Tail at Scale", 2013; gRPC proposal A6 calls
//! it hedging). Use the layer to pay twice for some requests rather than wait. Nothing is hedged without it.
//!
//! If no response head has come after the delay:
//!
//! * the layer sends the request once more, the hedge, while the first attempt goes on. Both have the same
//!   [`Attempts`](spillover_core::Attempts) in their extensions, so that [`PrioritySelect`](crate::select) chooses another backend;
//! * the first answer that is no refusal is the answer ([`Class::is_refusal`](spillover_core::Class::is_refusal)), and the
//!   other attempt is dropped at once. Where there is a [`ThrottleTracker`](crate::throttle) inside, it counts as cancelled
//!   and closes nothing;
//! * when one is refused, or fails, the other is waited for. When both are, the later refusal is the answer, and
//!   `RetryThrottled` goes on to the backends that are left; but one that forbids another attempt
//!   ([`Outcome::may_retry`](spillover_core::Outcome::may_retry)) is the answer before it;
//! * when no other backend would take the hedge, the first attempt goes on as if nothing had been;
//! * [`Hedged`] in the response's extensions says which of the two gave the answer.
//!
//! An answer before the delay goes up as it is, a refusal too. Each attempt that `RetryThrottled` makes has one hedge at most,
//! and all of them together have a [budget](HedgeLayer::budget).
//!
//! The layer goes inside [`RetryThrottled`](crate::retry), which makes request bodies that can be cloned, and outside
//! [`PrioritySelect`](crate::select). A layer inside that holds the response until there is content in it makes that the end
//! of the delay.
//!
//! ```
//! # #[cfg(all(feature = "retry", feature = "select"))] {
//! # use std::convert::Infallible;
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use spillover_core::{Backend, Pool, Selected};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{
//!     hedge::{HedgeLayer, Hedged},
//!     retry::{ReplayBody, RetryThrottledLayer},
//!     select::PrioritySelectLayer,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let pool = Pool::new([
//!     Backend::builder("slow").url("http://a.example").priority(1).build()?,
//!     Backend::builder("quick").url("http://b.example").priority(2).build()?,
//! ])?;
//! let service = ServiceBuilder::new()
//!     .layer(RetryThrottledLayer::new())
//!     .layer(HedgeLayer::new(Duration::from_millis(800)))
//!     .layer(PrioritySelectLayer::new(pool))
//!     .service(service_fn(|request: Request<ReplayBody<Full<Bytes>>>| async move {
//!         let label = request.extensions().get::<Selected>().unwrap().backend().label().to_owned();
//!         assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "question");
//!         if label == "slow" {
//!             tokio::time::sleep(Duration::from_secs(30)).await;
//!         }
//!         Ok::<_, Infallible>(Response::new(label))
//!     }));
//!
//! let begun = tokio::time::Instant::now();
//! let response = service.oneshot(Request::new(Full::from("question"))).await?;
//! assert_eq!(response.body(), "quick");
//! assert!(response.extensions().get::<Hedged>().unwrap().has_won());
//! assert_eq!(tokio::time::Instant::now() - begun, Duration::from_millis(800));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which requests are not hedged
//!
//! * One whose body has not been sent when the delay is over: there is one source, which one attempt reads at a time. That
//!   excludes streams that the client keeps open, and uploads that take longer than the delay. It is looked at once, when the
//!   delay is over.
//! * One whose body outgrew [`ReplayLimits`](crate::retry::ReplayLimits).
//! * One that waited for a backend to open ([`WhenExhausted::Wait`](crate::select::WhenExhausted::Wait)): there was no other.
//!   A hedge that finds no open backend waits like any request; the first attempt goes on meanwhile.
//! * One that is [pinned](spillover_core::Affinity::pinned) to a backend: there is no other.
//! * One that the [filter](HedgeLayer::with_filter) or the budget says no to.
//!
//! # Caveats
//!
//! A hedge sends a request twice on purpose, and both backends may act on it and bill it, as one that is cancelled has often
//! done most of its work. Leave out by the [filter](HedgeLayer::with_filter) what must not happen twice.
//!
//! Without `PrioritySelect`, or something else that heeds `Attempts`, the hedge goes where the first attempt went. A layer that
//! limits calls at once must be outside, or the hedge waits for the place that the first attempt has.
//!
//! A backend that is slow but answers in the end is not closed by this: every request waits for the delay there. A timeout
//! for each attempt closes it.

mod filter;
mod future;
mod hedged;
mod layer;
mod second;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    filter::{EveryRequest, Filter},
    future::ResponseFuture,
    hedged::Hedged,
    layer::HedgeLayer,
    service::Hedge,
};

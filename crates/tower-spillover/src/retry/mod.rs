//! Keeps what another attempt needs, and makes it the instant a backend refuses.
//!
//! Behaviour of the layer:
//!
//! * it puts a [`Attempts`](spillover_core::Attempts) in the extensions of the request, and in those of the response unless that is
//!   the answer to the first attempt, as most are, and the request did not break;
//! * the body streams through at the first attempt and is recorded on the way ([`ReplayBody`]), within [`ReplayLimits`];
//! * when the answer is a refusal ([`Class::is_refusal`](spillover_core::Class::is_refusal)) the original request is sent
//!   again, at once, as long as another backend is left;
//! * the rest of a refusal whose body was late ([`LateReport`](spillover_core::layer::LateReport)) is read beside the next attempts,
//!   and no longer than they take;
//! * when all backends refused, the answer is the refusal that helps the client most: first one that ends by itself (429, 503,
//!   529), then a failure, then one of this request (413), then one about the account at the backend (401, 402). Example: the
//!   first backend is at its limit and the second does not accept the key: the answer is the 429, with the wait of the pool.
//!   The last one of equal refusals is the answer.
//!
//! A request that a backend did not process ([`Class::Unprocessed`](spillover_core::Class::Unprocessed)) is sent to the same backend
//! once more. That counts neither against [`max_attempts`](RetryThrottledLayer::max_attempts) nor against the
//! [budget](RetryThrottledLayer::sdk_retry_budget) of clients' retries, but it does not begin after the
//! [`deadline`](RetryThrottledLayer::deadline) either.
//!
//! tower's `Retry` clones the inner service for each request, this layer only for each retry. There is no pause between attempts:
//! the next one goes to another backend.
//!
//! The layer goes outside [`PrioritySelect`](crate::select). Attempts then end with the last backend that is left. Without it, or
//! something else that marks `Attempts`, a refusal is retried only as far as
//! [`max_attempts`](RetryThrottledLayer::max_attempts) allows: if no other backend is chosen, the same one is asked.
//!
//! ```
//! # use std::{convert::Infallible, sync::{Arc, atomic::{AtomicU16, Ordering}}};
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use bytes::Bytes;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::retry::{ReplayBody, RetryThrottledLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! // Three servers behind one name; the first two are at their limits.
//! let statuses = Arc::new(AtomicU16::new(428));
//! let service = ServiceBuilder::new()
//!     .layer(RetryThrottledLayer::new().max_attempts(3))
//!     .service(service_fn(|request: Request<ReplayBody<Full<Bytes>>>| {
//!         let attempt = statuses.fetch_add(1, Ordering::Relaxed) - 427;
//!         async move {
//!             assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "question");
//!             let status = if attempt == 3 { 200 } else { 429 };
//!             Ok::<_, Infallible>(Response::builder().status(status).body(attempt).unwrap())
//!         }
//!     }));
//!
//! let response = service.oneshot(Request::new(Full::from("question"))).await?;
//! assert_eq!((response.status().as_u16(), response.into_body()), (200, 3));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Caveats
//!
//! A request whose body outgrew [`ReplayLimits`] is sent once; when it is refused, an event at level `WARN` says so.
//! The inner service must be `Clone`: a clone is kept, of which each retry takes one of its own. It gets requests whose body is
//! a [`ReplayBody`]; above one that takes a single kind of body, such as a route of axum or a channel of tonic, put
//! `.map_request(|request: Request<_>| request.map(Body::new))`. The bodies that it wraps must be `Unpin`.

mod body;
mod future;
mod recording;
mod service;
mod shared;
mod state;
#[cfg(test)]
mod tests;

pub use self::{
    body::ReplayBody,
    future::ResponseFuture,
    recording::ReplayLimits,
    service::{RetryThrottled, RetryThrottledLayer},
    shared::ReplayError,
};

//! Records what the answers of a backend say about it, and counts the requests that are in flight there.
//!
//! An answer to a request that has a [`Selected`] in its extensions is treated so:
//!
//! * [`Classify`] decides what the answer means: by default what it says of itself ([`Report`](spillover_hint::Report)), as
//!   far as a layer inside has read it, and its status;
//! * a refusal closes the backend at once, before the answer goes up: for as long as the backend says, else for 10 s, and
//!   within [`Cooldowns`]. A limit closes the [`Scope`](spillover_core::Scope) of the request, a failure all of the backend;
//! * a refusal that has a [`LateReport`](spillover_core::layer::LateReport) is recorded by its head. When its body says more, such as
//!   that a quota is used up, the backend is closed for longer; the time is never shortened;
//! * every 10 s, and at a refusal, it looks which limits the backend announces; one that was lowered is an event at level
//!   `WARN`;
//! * an answer that was not processed ([`Class::Unprocessed`]) closes nothing: the request goes to the same backend once more. The
//!   second one of a request at a backend is a failure, and so is one of a request without a `Attempts`, which nothing sends again;
//! * a success that was the last one for now, by the backend's own counters, closes it as well;
//! * the [`Outcome`] is put in the response's extensions;
//! * the request is in flight at the backend until the body of the answer ends, fails or is dropped. Then the `Selected` is
//!   [released](spillover_core::Selected::release), even if the extensions of the answer are kept. An attempt that fails, or is dropped before
//!   it has an answer, is released then;
//! * a body that fails after its head had been passed on cannot be taken back: it is counted
//!   ([`Counts::broken`](spillover_core::Counts::broken)), and is an event at level `WARN`.
//!
//! A request that is dropped before its answer closes nothing, and is counted as cancelled. Three in a row that waited for at
//! least 500 ms each make the backend [suspect](spillover_core::Condition::Suspect) for the scope, with an event at level
//! `WARN`: other backends are asked first then. These do not count:
//!
//! * one that lost against another attempt of the same request ([`Attempts::is_answered`]), as with [`Hedge`](crate::hedge);
//! * one whose answer had begun, and was held by [`StreamPeek`](crate::peek) ([`Attempts::has_head`]);
//! * one whose client had not sent all of its body, or went away while it did: that closes nothing either.
//!
//! An attempt that [`Patience`](crate::patience) gave up counts like one that is dropped. Without a `Selected` requests and answers
//! pass through.
//!
//! The [`Outcome`] and the events tell the time for which the pool really closed the backend: a refusal with `retry-after: 1`
//! says 8 s if an earlier one holds for so long.
//!
//! The layer goes inside [`PrioritySelect`](crate::select), which writes the `Selected`, and outside a timeout per attempt and the
//! client.
//!
//! ```
//! # #[cfg(feature = "select")] {
//! # use std::convert::Infallible;
//! use std::time::Duration;
//! use http::{Request, Response};
//! use spillover_core::{Backend, Class, Condition, Outcome, Pool, Scope};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{select::PrioritySelectLayer, throttle::ThrottleTrackerLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let pool = Pool::new([Backend::builder("a").url("http://a.example").build()?])?;
//! let service = ServiceBuilder::new()
//!     .layer(PrioritySelectLayer::new(pool.clone()))
//!     .layer(ThrottleTrackerLayer::new())
//!     .service(service_fn(|_: Request<()>| async {
//!         Ok::<_, Infallible>(Response::builder().status(429).header("retry-after", "7").body(String::new()).unwrap())
//!     }));
//!
//! let response = service.oneshot(Request::new(())).await?;
//! assert_eq!(response.extensions().get::<Outcome>().unwrap().class(), Class::Throttled);
//!
//! let now = tokio::time::Instant::now();
//! assert_eq!(pool.snapshot(Scope::BACKEND, now)[0].condition(), Condition::Throttled(Duration::from_secs(7)));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Requests in flight
//!
//! [`BackendBuilder::max_concurrency`](spillover_core::BackendBuilder::max_concurrency) moves requests to the next backend if one
//! has enough of them, and [`PeakEwma`](spillover_core::PeakEwma) compares backends by their number. Without this layer a request
//! counts until all clones of its `Selected` are dropped. In most servers that is when the head of the answer was sent, which is
//! too early for a stream. To bound the requests of all backends together, use [`ConcurrencyLimit`](crate::limit).
//!
//! The error of the inner service is looked at as far as [`connection`](crate::connection) knows it.
//!
//! [`Class::Unprocessed`]: spillover_core::Class::Unprocessed
//! [`Classify`]: spillover_core::Classify
//! [`Cooldowns`]: spillover_core::Cooldowns
//! [`Outcome`]: spillover_core::Outcome
//! [`Selected`]: spillover_core::Selected
//! [`Attempts::has_head`]: spillover_core::layer::AttemptsProtocol::has_head
//! [`Attempts::is_answered`]: spillover_core::layer::AttemptsProtocol::is_answered

mod amendment;
mod attempt;
mod future;
mod layer;
mod service;
mod spent;
#[cfg(test)]
mod tests;

pub use self::{
    attempt::Attempt, future::ResponseFuture, layer::ThrottleTrackerLayer, service::ThrottleTracker,
};

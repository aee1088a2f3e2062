//! Chooses the backend for each attempt.
//!
//! Behaviour of the layer:
//!
//! * it draws a backend from the best open tier, leaving out the [`Attempts`](spillover_core::Attempts) ones, and puts it as
//!   [`Selected`](spillover_core::Selected) in the extensions of the request, and in those of the response. It draws by
//!   weight, or as a [`Strategy`](spillover_core::Strategy) chooses; a request that has an
//!   [`Affinity`](spillover_core::Affinity) goes to the backend it belongs to;
//! * when every backend is throttled or full before the first attempt, [`WhenExhausted`] decides what becomes of the request;
//!   [`WhenExhausted::Wait`] holds after an attempt, too (see [below](self#waiting));
//! * when an attempt was refused and no other backend is left, it says so: with
//!   [`Exhausted`](spillover_core::Exhausted) in the response's extensions, and to `RetryThrottled` through `Attempts`;
//! * the wait in a refusal that goes up is that of the *pool*: `retry-after: 3600` of the last backend becomes `retry-after: 5`
//!   when another opens in 5 s. A 429 without a wait gets one. A wait of more than a minute is removed
//!   ([`Exhausted::write`](spillover_core::Exhausted::write)).
//!
//! The layer goes inside [`RetryThrottled`](crate::retry) and outside everything that needs to know the backend.
//!
//! The choice is made in `call`, not in `poll_ready`: the answer to "all are closed" is a prompt response, a retry chooses
//! anew, and one shared client has no readiness per backend. `poll_ready` is the inner service's. The price: an inner
//! service that was made ready for a request that is then answered here keeps its reservation until the next call.
//!
//! ```
//! # use std::{convert::Infallible, time::Duration};
//! use http::{Request, Response};
//! use spillover_core::{Backend, Outcome, Pool, Query, Selected};
//! use tokio::time::Instant;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::select::{PrioritySelectLayer, WhenExhausted};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let pool = Pool::new([Backend::builder("a").url("http://a.example").build()?])?;
//! let service = ServiceBuilder::new()
//!     .layer(PrioritySelectLayer::new(pool.clone()).when_exhausted(WhenExhausted::Reject))
//!     .service(service_fn(|request: Request<()>| async move {
//!         let selected = request.extensions().get::<Selected>().unwrap();
//!         Ok::<_, Infallible>(Response::new(selected.backend().label().to_owned()))
//!     }));
//!
//! let response = service.clone().oneshot(Request::new(())).await?;
//! assert_eq!(response.body(), "a");
//!
//! // It throttles: what comes now is told when to come back.
//! let now = Instant::now();
//! let selected = pool.select(&Query::new(), now, 0).expect("it is open");
//! selected.record(&Outcome::throttled(Duration::from_millis(1500)), now);
//! let response = service.oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), 429);
//! assert_eq!(response.headers()["retry-after"], "2");
//! assert_eq!(response.headers()["retry-after-ms"], "1500");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Affinity
//!
//! An [`Affinity`](spillover_core::Affinity) in the extensions of a request comes before the draw and the strategy: by a key,
//! so that the requests of one conversation find its beginning in the cache of their backend, or by the label of the backend
//! that has what the request names. A layer outside puts it there:
//!
//! ```
//! # use std::convert::Infallible;
//! use http::{Request, Response};
//! use spillover_core::{Affinity, Backend, Pool, Selected};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::select::PrioritySelectLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let backend = |label: &str| Backend::builder(label).url("http://upstream.example").build();
//! let pool = Pool::new([backend("a")?, backend("b")?, backend("c")?])?;
//! let service = ServiceBuilder::new()
//!     .map_request(|mut request: Request<()>| {
//!         let session = request.headers().get("x-session").map(Affinity::by_key);
//!         // What was uploaded to one backend is at no other.
//!         let file = request.uri().path().strip_prefix("/files/at-");
//!         let affinity = file.map(|label| Affinity::to_backend(label).pinned()).or(session);
//!         if let Some(affinity) = affinity {
//!             request.extensions_mut().insert(affinity);
//!         }
//!         request
//!     })
//!     .layer(PrioritySelectLayer::new(pool))
//!     .service(service_fn(|request: Request<()>| async move {
//!         let selected = request.extensions().get::<Selected>().unwrap();
//!         Ok::<_, Infallible>(Response::new(selected.backend().label().to_owned()))
//!     }));
//!
//! let chat = || Request::post("/v1/chat/completions").header("x-session", "7").body(());
//! let first = service.clone().oneshot(chat()?).await?;
//! let second = service.clone().oneshot(chat()?).await?;
//! assert_eq!(first.body(), second.body());
//!
//! let file = service.oneshot(Request::get("/files/at-c").body(())?).await?;
//! assert_eq!(file.body(), "c");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! While its backend is closed, a request goes to another one, but not if it is
//! [pinned](spillover_core::Affinity::pinned): then "all" means that backend wherever this page says that all are closed, a
//! refusal is the answer, and `Hedge` does not send it twice.
//!
//! # Waiting
//!
//! With [`WhenExhausted::Wait`] a request waits when a backend opens within the bound, or is merely full. The bound holds for all
//! waits of one request together, from the first on.
//!
//! * Requests of one scope that have the same backends left to try wait in one queue, and are let go in the order of their
//!   coming. A request that comes later does not overtake them.
//! * After a throttle has ended they are let go [one by one](spillover_core::Waiter::turn). When one is refused, the others wait
//!   on; that one waits on at its place, if `RetryThrottled` is outside.
//! * A request that waits may ask a backend again that refused it because of a limit
//!   ([`Attempts::mark_limited`](spillover_core::layer::AttemptsProtocol::mark_limited)). This is one of two exceptions to the rule that one request asks
//!   a backend once; the other is a connection on which nothing was processed.
//! * A backend that is merely full is waited for before one that fails is asked as a last resort. That happens at the end of
//!   the wait.
//!
//! # Caveats
//!
//! The local answer has the empty body of the response type, which must be `Default`, or what
//! [`with_exhausted_response`](PrioritySelectLayer::with_exhausted_response) brings. `hyper::body::Incoming` can be neither: one
//! of [`ThrottleTracker`](crate::throttle), [`ReadRefusal`](crate::refusal) or [`StreamPeek`](crate::peek) below makes of any body one
//! that can be empty.
//!
//! A request that waits for a place at a full backend has no claim to it: one of another scope that comes in the moment it gets
//! free may be served first.

mod draw;
mod exhausted;
mod future;
mod layer;
mod selector;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    draw::{Draw, ThreadDraw},
    exhausted::{EmptyResponse, ResponseForExhausted, WhenExhausted},
    future::ResponseFuture,
    layer::PrioritySelectLayer,
    service::PrioritySelect,
};

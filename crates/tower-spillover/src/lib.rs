//! [Tower](tower_service) layers that send each request to the best rate-limited backend that will take it *now*, and
//! move it to the next one the instant a backend says no.
//!
//! Providers limit requests and tokens per minute and answer 429 when a limit is reached. Who owns several such backends
//! wants the best of them used first, the next one the moment it throttles, and the first one again when it recovers.
//!
//! # The stack
//!
//! ```text
//! request                                                                 response
//!   |  RetryThrottled    keeps what another attempt needs                ^ until one is served, or none is left
//!   |  Hedge             asks two, where one is slow (optional)          | the first good answer
//!   |  PrioritySelect    chooses the backend                             | or answers that all are closed
//!   |  InFlight          passes it on                                    | counts it until its body ends
//!   |  RewriteRequest    makes the request one for that backend          |
//!   |  ThrottleTracker   passes it on                                    | remembers what the answer says
//!   |  RefusalBody       passes it on                                    | reads bodies of refusals in doubt
//!   |  StreamPeek        passes it on                                    | reads streams until their first content
//!   v  one shared client, or BackendSteer: one service per backend ------+
//! ```
//!
//! The layers do not know each other: they meet through values in the extensions of request and response, and each is
//! useful alone.
//!
//! | value | in | written by | read by | when missing |
//! |---|---|---|---|---|
//! | [`Tried`] | request, response | `RetryThrottled`; marked by `PrioritySelect` | `Hedge`, `PrioritySelect`, `ThrottleTracker` | nothing is excluded |
//! | [`Selected`] | request, response | `PrioritySelect` | `RewriteRequest`, `ThrottleTracker`, `StreamPeek`, `BackendSteer`, logs | pass through; `BackendSteer`: an error |
//! | [`Tried`] | request, response | `RetryThrottled`; marked by `PrioritySelect` | `PrioritySelect`, `ThrottleTracker` | nothing is excluded |
//! | [`Selected`] | request, response | `PrioritySelect` | `InFlight`, `RewriteRequest`, `ThrottleTracker`, `BackendSteer`, logs | pass through; `BackendSteer`: an error |
//! | [`Outcome`] | response | `ThrottleTracker` | `RetryThrottled`, `PrioritySelect`, logs | read off the status |
//! | [`Exhausted`] | response | `PrioritySelect` | logs | another backend is left |
//! | `Hedged` | response | `Hedge` | logs | one attempt at a time |
//! | [`Scope`] | request | you, if at all | `PrioritySelect` | the deployment in the path, else the whole backend |
//! | [`Report`](spillover_hint::Report) | response | `RefusalBody`, `StreamPeek` | `ThrottleTracker`, `RefusalBody` | read off the head |
//!
//! ```
//! # #[cfg(feature = "full")] {
//! # use std::convert::Infallible;
//! # futures_executor(async {
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{
//!     Backend, Pool, Selected,
//!     retry::RetryThrottledLayer, rewrite::RewriteRequestLayer, select::PrioritySelectLayer,
//!     throttle::ThrottleTrackerLayer,
//! };
//!
//! let pool = Pool::new([
//!     Backend::builder("ptu").url("https://ptu.example").priority(1).build()?,
//!     Backend::builder("payg").url("https://payg.example").priority(2).build()?,
//! ])?;
//!
//! // Stands in for an HTTP client: the first backend is at its limit.
//! let client = service_fn(|request: Request<_>| async move {
//!     let status = if request.uri().host() == Some("ptu.example") { 429 } else { 200 };
//!     Ok::<_, Infallible>(Response::builder().status(status).body(String::new()).unwrap())
//! });
//!
//! let stack = ServiceBuilder::new()
//!     .layer(RetryThrottledLayer::new())
//!     .layer(PrioritySelectLayer::new(pool))
//!     .layer(RewriteRequestLayer::new())
//!     .layer(ThrottleTrackerLayer::new())
//!     .service(client);
//!
//! let request = Request::post("/v1/chat/completions").body(String::from("{}"))?;
//! let response = stack.oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.extensions().get::<Selected>().unwrap().backend().label(), "payg");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # fn futures_executor<F: std::future::Future>(f: F) -> F::Output {
//! #     tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(f)
//! # }
//! # }
//! ```
//!
//! # Order
//!
//! * `RetryThrottled` outside `PrioritySelect`: a copy of the request from before the choice is what another attempt needs.
//! * `Hedge` between the two: it needs a body that can be sent twice, and each of its attempts a backend of its own.
//! * `RewriteRequest` and `ThrottleTracker` inside `PrioritySelect`: they read what it chose. A tracker outside it records
//!   nothing.
//! * `RefusalBody` and `StreamPeek` inside `ThrottleTracker`, which reads what they report; `StreamPeek` inside `RefusalBody`,
//!   which then does not read again what has been read.
//! * `InFlight` inside `PrioritySelect` and outside `ThrottleTracker`.
//! * A timeout per attempt inside `ThrottleTracker`, so that it counts against the backend; one for the whole request
//!   outside `RetryThrottled`.
//! * A concurrency limit, such as [`limit`], a rate limit or a buffer outside `RetryThrottled`: each of the layers passes
//!   the readiness of the inner service through, and choosing a backend never waits.
//!
//! # When a stack is no service
//!
//! `oneshot` and `ready` then say only that some bounds are not satisfied. A function that takes a service says which: for the
//! time being, hand the stack to [`BoxCloneSyncService::new`](https://docs.rs/tower/latest/tower/util/struct.BoxCloneSyncService.html).
//! Mostly it is one of these:
//!
//! * the body of the response is not `Default`, such as hyper's `Incoming`: put
//!   `.map_response(|response: Response<_>| response.map(BodyExt::boxed))` below `PrioritySelect`;
//! * the client is not `Clone`;
//! * a classifier is a closure that does not name the type of its argument, or names the error of another client.
//!
//! # Features
//!
//! None is on by default. Each layer is one: `retry`, `hedge`, `select`, `rewrite`, `throttle`, `refusal`, `peek`, `steer`;
//! `full` is all of them.
//!
//! # What it does not do
//!
//! It opens no connections, starts no tasks and never pauses between attempts. Only `Hedge` sends a request twice that was not
//! refused. It does not read request bodies: who limits by the `model` in one puts a [`Scope`] into the extensions. It does
//! not balance by load: within a tier backends are drawn at random, by weight.
//! None is on by default. Each layer is one: `retry`, `select`, `in-flight`, `rewrite`, `throttle`, `refusal`, `steer`,
//! `limit`; `full` is all of them.
//!
//!
//! It opens no connections, starts no tasks and never pauses between attempts. It does not read request bodies: who limits
//! by the `model` in one puts a [`Scope`] into the extensions. It balances by load only within a tier, and only where it is
//! told to: by default backends are drawn at random, by weight ([`Strategy`]).

#[macro_use]
mod macros;

#[cfg(any(
    feature = "in-flight",
    feature = "limit",
    feature = "peek",
    feature = "refusal"
))]
pub mod body;
#[cfg(any(feature = "hedge", feature = "retry"))]
mod class;
#[cfg(any(
    feature = "hedge",
    feature = "peek",
    feature = "refusal",
    feature = "retry",
    feature = "select",
    feature = "throttle"
))]
mod fields;
#[cfg(feature = "hedge")]
pub mod hedge;
#[cfg(feature = "in-flight")]
pub mod in_flight;
#[cfg(feature = "limit")]
pub mod limit;
#[cfg(feature = "peek")]
pub mod peek;
#[cfg(feature = "refusal")]
pub mod refusal;
#[cfg(any(
    feature = "hedge",
    feature = "refusal",
    feature = "retry",
    feature = "throttle"
))]
mod report;
#[cfg(feature = "retry")]
pub mod retry;
#[cfg(feature = "rewrite")]
pub mod rewrite;
#[cfg(feature = "select")]
pub mod select;
#[cfg(feature = "stack")]
pub mod stack;
#[cfg(feature = "steer")]
pub mod steer;
#[cfg(feature = "throttle")]
pub mod throttle;
#[cfg(feature = "util")]
mod util;

#[cfg(feature = "util")]
pub use crate::util::ServiceBuilderExt;

#[doc(no_inline)]
pub use spillover_core::{
    Answer, Backend, BackendBuilder, BackendSnapshot, Candidate, Candidates, Cause, Change, Class,
    Classify, Condition, Cooldown, Cooldowns, Counts, Credential, Exhausted, Freed, GrpcClassifier,
    InvalidBackend, InvalidPool, Outcome, PeakEwma, Pool, Scope, Selected, StatusClassifier,
    Strategy, Tried, Weighted,
};

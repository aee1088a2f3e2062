//! [Tower](tower_service) layers that send each request to the best rate-limited backend that will take it *now*, and
//! move it to the next one the instant a backend says no.
//!
//! Providers limit requests and tokens per minute and answer 429 when a limit is reached. With several such backends, the
//! best of them should be used first, the next one as soon as it throttles, and the first one again when it recovers.
//!
//! # In front of a client
//!
//! One call puts the usual stack in front of a hyper client, which is then used as before, with paths in place of URLs:
//!
//! ```no_run
//! # #[cfg(feature = "full")] {
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_spillover::{Backend, Credential, Pool, ServiceBuilderExt};
//!
//! # async fn example(key: &str, other_key: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let ptu = Backend::builder("ptu").url("http://ptu.example").priority(1);
//! let payg = Backend::builder("payg").url("http://payg.example").priority(2);
//! let pool = Pool::new([
//!     ptu.credential(Credential::api_key(key)?).build()?,
//!     payg.credential(Credential::api_key(other_key)?).build()?,
//! ])?;
//!
//! let client = ServiceBuilder::new()
//!     .spillover(pool)
//!     // For each attempt: a backend that hangs is one that fails.
//!     .layer(tower::timeout::TimeoutLayer::new(Duration::from_secs(100)))
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//!
//! let request = Request::post("/v1/chat/completions").body(Full::<Bytes>::from("{}"))?;
//! let response = client.clone().oneshot(request).await?;
//! # let _ = response;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! And in front of a channel of tonic for each backend, for any generated client:
//!
//! ```no_run
//! # #[cfg(feature = "full")] {
//! use tonic::transport::Endpoint;
//! use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
//! use tower::ServiceBuilder;
//! use tower_spillover::{GrpcClassifier, Pool, stack::SpilloverLayer, steer::BackendSteer};
//!
//! # async fn example(pool: Pool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let channels = BackendSteer::try_new(&pool, |backend| {
//!     Ok::<_, tonic::transport::Error>(Endpoint::from_shared(backend.url().to_owned())?.connect_lazy())
//! })?;
//! let stack = ServiceBuilder::new()
//!     .layer(SpilloverLayer::new(pool).with_classify(GrpcClassifier::new()))
//!     .map_request(|request: http::Request<_>| request.map(tonic::body::Body::new))
//!     .service(channels);
//!
//! let mut client = HealthClient::new(stack);
//! let response = client.check(HealthCheckRequest::default()).await?;
//! # let _ = response;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! In an axum handler, over `reqwest`, as a proxy: the directory `examples` of the repository has a program for each.
//!
//! # The stack
//!
//! ```text
//! request                                                                 response
//!   |  RetryThrottled    keeps what another attempt needs                ^ until one is served, or none is left
//!   |  Hedge             asks two, where one is slow (optional)          | the first good answer
//!   |  PrioritySelect    chooses the backend                             | or answers that all are closed
//!   |  RewriteRequest    makes the request one for that backend          |
//!   |  ThrottleTracker   counts it, until the body of the answer ends    | records what the answer says
//!   |  Peek              passes it on                                    | reads refusals in doubt, and streams until content
//!   |  Patience          passes it on (optional)                         | or gives up in time for another backend
//!   v  one shared client, or BackendSteer: one service per backend ------+
//! ```
//!
//! [`SpilloverLayer`](stack::SpilloverLayer) makes all of it. The layers do not know each other: they meet through values in
//! the extensions of request and response, and each is useful alone.
//!
//! | value | in | written by | read by | when missing |
//! |---|---|---|---|---|
//! | [`Attempts`] | request; response, unless that answers the first attempt | `RetryThrottled`, else `Hedge`; marked by `PrioritySelect` | `Hedge`, `PrioritySelect`, `ThrottleTracker`, `Peek`, `Patience` | request: nothing is excluded; response: one attempt |
//! | [`Selected`] | request, response | `PrioritySelect` | `RewriteRequest`, `ThrottleTracker`, `Peek`, `Patience`, `BackendSteer`, logs | pass through; `BackendSteer`: an error |
//! | [`Outcome`] | response | `ThrottleTracker`; `Patience` of an attempt that it gave up | `RetryThrottled`, `Hedge`, `PrioritySelect`, logs | read off the status |
//! | [`Exhausted`] | response | `PrioritySelect` | `Hedge`, logs | another backend is left |
//! | [`LateReport`](spillover_core::layer::LateReport) | response | `Peek`, when the body of a refusal is late; `ThrottleTracker` says what for | `RetryThrottled` | the body has been read |
//! | [`Hedged`](hedge::Hedged) | response | `Hedge` | logs | one attempt at a time |
//! | [`Affinity`] | request | `BindAffinity` or you, if at all | `PrioritySelect` | any of the best that are open |
//! | [`Scope`] | request | `ModelScope` or you, if at all | `PrioritySelect` | the deployment in the path, else the whole backend |
//! | [`Extracted`](model::Extracted) | request | `ModelScope` | `BindAffinity`, a layer of your own that routes or replaces the model | no field was read |
//! | [`ModelFromPath`](rewrite::ModelFromPath) | request | `RewriteRequest` | a layer of your own that changes bodies | the path names the model, or none does |
//! | [`UnsupportedPath`](rewrite::UnsupportedPath) | request | `RewriteRequest` | a layer of your own that answers in place of the backend | the backend may have the path |
//! | [`Unprocessed`](connection::Unprocessed) | response in place of an error | the client, if at all | `ThrottleTracker` | read off the error |
//! | [`Report`] | response | `Peek` | `ThrottleTracker`, `Peek` | read off the head |
//!
//! The same by hand, with fewer layers:
//!
//! ```
//! # #[cfg(feature = "full")] {
//! # use std::convert::Infallible;
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
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
//! # })?;
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Connections that end
//!
//! A request tries a backend once, with one exception: where the connection ended before the backend looked at the request,
//! `ThrottleTracker` holds nothing against the backend, and `RetryThrottled` sends the request there once more
//! ([`Class::Unprocessed`]). Such ends are orderly: a kept connection that was closed, GOAWAY, `REFUSED_STREAM`. For example, a
//! server that says GOAWAY after each 50 requests gets all of them, and stays open. When the second attempt ends so too, that is
//! a failure: the backend is closed, and the request goes to the next one.
//!
//! The second attempt is to go over a new connection ([`Selected::is_resend`]). hyper-util's `legacy::Client` takes another kept
//! connection where it has one; it mostly knows of those that have ended. The module [`connection`] says which errors are
//! recognized: those of hyper and what is in a `BoxError`. Put `.map_err(BoxError::from)` in front of other clients, such as
//! `reqwest`.
//!
//! # Order
//!
//! * `RetryThrottled` outside `PrioritySelect`: a copy of the request from before the choice is what another attempt needs.
//! * `Hedge` between the two: it needs a body that can be sent twice, and each of its attempts a backend of its own.
//! * `RewriteRequest` and `ThrottleTracker` inside `PrioritySelect`: they read its choice.
//! * `Peek` inside `ThrottleTracker`, which reads its reports. `ReadRefusalLayer` makes a `Peek` for refusals and `StreamPeekLayer`
//!   one for streams. One layer [does both](peek::StreamPeekLayer::read_refusals).
//! * `Patience` inside `ThrottleTracker`, which reads its outcome, and next to the client.
//! * A timeout per attempt inside `ThrottleTracker`, so that it counts against the backend; one for the whole request
//!   outside `RetryThrottled`. An attempt includes the upload of the client: a client that uploads slowly can make it late, which
//!   closes the backend.
//! * A concurrency limit, such as [`limit`], a rate limit or a buffer outside `RetryThrottled`: each of the layers passes
//!   the readiness of the inner service through, and choosing a backend never waits. For a limit per backend there is
//!   [`BackendBuilder::max_concurrency`].
//! * A layer that signs requests inside `RewriteRequest`, with [`Credential::by_layer`] for the backends.
//!
//! Other orders compile, too:
//!
//! | order | what happens |
//! |---|---|
//! | `PrioritySelect` outside `RetryThrottled` | a refusal is the answer: no other backend is chosen |
//! | `RewriteRequest` outside `PrioritySelect` | requests go out as they came in, with the client's credentials |
//! | `ThrottleTracker` outside `PrioritySelect` | nothing is remembered: every request asks the throttled backend first |
//! | `ReadRefusalLayer` outside `ThrottleTracker` | an account without money is taken for one that is at its limit for seconds |
//! | a timeout outside `ThrottleTracker` | an attempt that is too slow counts as cancelled; three in a row make the backend suspect |
//! | `Hedge` outside `RetryThrottled` | the hedge goes to the backend that the first attempt waits for |
//!
//! # When a stack is no service
//!
//! `oneshot` and `ready` then say only that some bounds are not satisfied. A function that takes a service says which: for the
//! time being, hand the stack to [`BoxCloneSyncService::new`](https://docs.rs/tower/latest/tower/util/struct.BoxCloneSyncService.html).
//! Mostly it is one of these:
//!
//! * the body of the response is not `Default`, such as hyper's `Incoming`, in a stack without `ThrottleTracker` and
//!   `Peek`, whose bodies are: put one of them, or
//!   `.map_response(|response: Response<_>| response.map(BodyExt::boxed))`, below `PrioritySelect`;
//! * the client is not `Clone`;
//! * a classifier, a strategy or a filter is a closure that does not name the types of its arguments ("implementation of
//!   `FnOnce` is not general enough"), or a classifier names the error of another client;
//! * the client takes one type of request body only, such as tonic's channels or a route of axum: put
//!   `.map_request(|request: Request<_>| request.map(Body::new))` in front of it;
//! * the body of the response is not `Send` or borrows something, in a stack with `Peek`;
//! * a body is not `Unpin`, as a stream made by `async` blocks: `BodyExt::boxed` makes one that is.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | |
//! |---|---|
//! | `stack` | [`SpilloverLayer`](stack::SpilloverLayer), with the layers that it stacks |
//! | `retry`, `hedge`, `select`, `rewrite`, `throttle`, `refusal`, `peek`, `patience`, `steer`, `limit`, `model`, `affinity` | the layer of this name |
//! | `coding` | [`coding`]: reads bodies in gzip, deflate, br and zstd; on with `peek` and `refusal` |
//! | `util` | [`ServiceBuilderExt`]: the layers of the stack that are on, as methods of `ServiceBuilder` |
//! | `full` | all of them |
//!
//! # Rust version
//!
//! 1.88. A later one is required by a minor version at the earliest.
//!
//! # Limits of the crate
//!
//! The crate opens no connections, starts no tasks and never pauses between attempts, unless
//! [`WhenExhausted::Wait`](select::WhenExhausted::Wait) asks for it. Only `Hedge` sends a request twice that was not refused
//! or lost. Only [`model`] reads request bodies, to limit by the `model` in one. It
//! balances by load only within a tier, and only where it is told to: by default backends are drawn at random, by weight
//! ([`Strategy`]). It does not cache, and does not translate between APIs.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod macros;

#[cfg(feature = "affinity")]
pub mod affinity;
#[cfg(any(feature = "limit", feature = "throttle"))]
pub mod body;
#[cfg(any(feature = "hedge", feature = "retry"))]
mod class;
#[cfg(any(feature = "patience", feature = "throttle"))]
mod clock;
#[cfg(feature = "coding")]
pub mod coding;
#[cfg(feature = "throttle")]
pub mod connection;
#[cfg(any(
    feature = "hedge",
    feature = "peek",
    feature = "retry",
    feature = "select",
    feature = "throttle"
))]
mod fields;
#[cfg(any(feature = "limit", feature = "peek", feature = "throttle"))]
mod guard;
#[cfg(feature = "hedge")]
pub mod hedge;
#[cfg(feature = "limit")]
pub mod limit;
#[cfg(feature = "model")]
pub mod model;
#[cfg(feature = "patience")]
pub mod patience;
#[cfg(feature = "peek")]
pub mod peek;
#[cfg(feature = "refusal")]
pub mod refusal;
#[cfg(any(
    feature = "hedge",
    feature = "peek",
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
#[cfg(any(feature = "retry", feature = "select"))]
mod wait;

#[cfg(feature = "util")]
pub use crate::util::ServiceBuilderExt;

#[doc(no_inline)]
pub use spillover_core::{
    Affinity, Answer, Attempts, Backend, BackendBuilder, BackendKind, BackendSnapshot, Candidate,
    Candidates, Cause, Change, Class, Classify, Condition, Cooldown, Cooldowns, Counts, Credential,
    Declined, Exhausted, GrpcClassifier, InvalidBackend, InvalidPool, Opening, Outcome, PeakEwma,
    Pool, Query, Recorded, Scope, Selected, Silence, StatusClassifier, Strategy, Turn, Waiter,
    Weighted,
};
#[doc(no_inline)]
pub use spillover_hint::{Refusal, Report};

/// The example of the README, which runs with the other tests.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

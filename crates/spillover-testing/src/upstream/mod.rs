//! A mock of a rate-limited LLM service, on a real socket of this machine.
//!
//! [`MockUpstream`] speaks enough of OpenAI's API, and of Azure's form of it, for real SDKs:
//!
//! * `POST /v1/chat/completions`, `/openai/v1/chat/completions`, `/chat/completions` and
//!   `/openai/deployments/{deployment}/chat/completions?api-version=..`, as JSON or as a stream;
//! * `POST .../audio/transcriptions` below the same roots;
//! * `GET /v1/models`, `/openai/v1/models`, `/models` and `/openai/models`;
//! * over HTTP/1.1 and HTTP/2 without TLS.
//!
//! No service has all of these paths. A mock that stands for one is told so by its
//! [`provider`](Builder::provider), and answers with 404 on every path that the [`Provider`] does not have.
//!
//! It limits as Azure does, by the models of [`limit`](crate::limit), and answers a refused request
//! with Azure's headers and body. A prompt's size is estimated as a quarter of its characters;
//! `max_tokens`, where it is missing, is taken as 256.
//!
//! It also misbehaves on demand: its [`UpstreamHandle`] sets a [`Behavior`] for the next requests or
//! for all, and knows every request that arrived.
//!
//! # Example
//!
//! ```
//! use http::Request;
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use spillover_testing::{limit::Payg, upstream::{Behavior, MockUpstream}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let upstream = MockUpstream::builder()
//!     .name("east")
//!     .limit(Payg::new(1_000))
//!     .start()
//!     .await?;
//!
//! let client = Client::builder(TokioExecutor::new()).build_http::<Full<&[u8]>>();
//! let ask = || {
//!     let body = br#"{"model": "gpt", "messages": [], "max_tokens": 600}"#;
//!     let uri = format!("{}/v1/chat/completions", upstream.url());
//!     client.request(Request::post(uri).body(Full::new(&body[..])).unwrap())
//! };
//!
//! let response = ask().await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.headers()["x-ratelimit-remaining-tokens"], "400");
//! assert_eq!(response.headers()["x-upstream"], "east");
//!
//! let refused = ask().await?;
//! assert_eq!(refused.status(), 429);
//! assert!(refused.headers().contains_key("retry-after"));
//!
//! upstream.handle().push(Behavior::reset());
//! assert!(ask().await.is_err());
//!
//! let stats = upstream.handle().stats();
//! assert_eq!((stats.received, stats.served, stats.throttled), (3, 1, 1));
//! # Ok(())
//! # }
//! ```
//!
//! The server's clock is Tokio's. With a paused clock, time jumps ahead whenever all tasks wait for
//! the network; use a running one.

mod api;
mod ask;
mod behavior;
mod builder;
mod chat;
mod completion;
mod connection;
mod handle;
mod in_flight;
mod play;
mod provider;
mod reply;
mod route;
mod server;
mod shared;
#[cfg(test)]
mod tests;
mod wire;

pub use self::{
    behavior::Behavior,
    builder::Builder,
    handle::{RecordedRequest, Stats, UpstreamHandle},
    provider::Provider,
    server::MockUpstream,
};

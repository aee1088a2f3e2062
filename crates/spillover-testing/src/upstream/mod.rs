//! A mock of a rate-limited LLM service on a local socket.
//!
//! [`MockUpstream`] implements enough of OpenAI's API, and of Azure's form of it, for real SDKs:
//!
//! * `POST /v1/chat/completions`, `/openai/v1/chat/completions`, `/chat/completions` and
//!   `/openai/deployments/{deployment}/chat/completions?api-version=..`, as JSON or as a stream;
//! * `POST .../audio/transcriptions` below the same roots;
//! * `GET /v1/models`, `/openai/v1/models`, `/models` and `/openai/models`;
//! * over HTTP/1.1 and HTTP/2 without TLS.
//!
//! No service has all of these paths. A mock with a [`provider`](Builder::provider) answers 404 on every path that the
//! [`Provider`] does not have.
//!
//! The mock limits like Azure, by the models of [`limit`](crate::limit), and refuses with Azure's headers and body. The
//! size of a prompt is estimated as a quarter of its characters; a missing `max_tokens` counts as 256.
//!
//! The mock also misbehaves on demand: its [`UpstreamHandle`] sets a [`Behavior`] for the next requests or for all, and
//! returns every request that arrived.
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
//! The server uses Tokio's clock. Do not pause it: a paused clock jumps ahead whenever all tasks wait for the network.

mod answer;
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
mod record;
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
    handle::UpstreamHandle,
    provider::Provider,
    record::{RecordedRequest, Stats},
    server::MockUpstream,
};

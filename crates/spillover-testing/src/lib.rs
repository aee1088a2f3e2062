//! Test support for code that calls rate-limited services.
//!
//! | module | contents |
//! |---|---|
//! | [`probe`] | an inner service that detects breaches of the readiness contract; its clones start unready |
//! | [`body`] | a request or response body that plays a script: data, trailers, errors, pauses |
//! | [`limit`] | the rate limits of providers as pure models: windows of tokens and requests, a leaky bucket |
//! | `coding` | bodies in gzip, deflate, br or zstd; needs the feature `coding` |
//! | `demo` | backends and traffic for a demo of a gateway; needs the feature `demo` |
//! | `log` | the log of a test as text; needs the feature `log` |
//! | `upstream` | a rate-limited mock LLM service on a real socket that misbehaves on demand; needs the feature `upstream` |
//!
//! # Example
//!
//! ```
//! use http::{Request, Response};
//! use spillover_testing::Probe;
//! use std::convert::Infallible;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let probe = Probe::new(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("hello")) });
//! let handle = probe.handle();
//!
//! let response = probe.oneshot(Request::new(())).await.unwrap();
//!
//! assert_eq!(*response.body(), "hello");
//! assert_eq!(handle.calls(), 1);
//! assert_eq!(handle.violations(), 0);
//! # }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod body;
#[cfg(feature = "coding")]
pub mod coding;
#[cfg(feature = "demo")]
pub mod demo;
pub mod limit;
#[cfg(feature = "log")]
pub mod log;
pub mod probe;
mod sync;
#[cfg(feature = "upstream")]
pub mod upstream;

pub use body::ScriptedBody;
#[cfg(feature = "log")]
pub use log::CapturedLog;
pub use probe::Probe;
#[cfg(feature = "upstream")]
pub use upstream::MockUpstream;

/// Runs the README's example as a test.
#[cfg(all(doctest, feature = "upstream"))]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

//! Reads the body of a refusal, when its head does not settle what it means.
//!
//! A response is treated so:
//!
//! * a refusal whose head leaves in doubt of what kind it is, or for how long ([`Report::needs_body`]), has its body read: at
//!   most 64 KiB of it, for at most a second, decoded if it is in a [`coding`](crate::coding) that is read;
//! * when the body does not come within 20 ms, another backend would be asked, and the head says that this one is closed, such as
//!   a 429 does, the response passes on with what the head says. A [`LateReport`] in its extensions reads the rest: the
//!   retry layer does so beside the next attempt, and the tracker adds what comes of it to what it recorded;
//! * what head and body say is put, as a [`Report`], in the response's extensions;
//! * the body passes on unchanged, with what was read of it first.
//!
//! A refusal may also be a gRPC response with status 200 and an error in its head. Everything else passes through untouched,
//! and so does a response that has a `Report` already, from a layer inside: nothing is allocated for them. Requests are not
//! touched.
//!
//! The layer goes inside [`ThrottleTracker`](crate::throttle), which reads the `Report`, and outside the client. Without it the
//! tracker goes by the head: it takes an account without money for one that is at its limit for a moment. The [`Selected`] and the
//! [`Attempts`] of the request tell if another backend would be asked; without them the layer waits for the whole second.
//!
//! The bodies of responses must be `Unpin`, `Send` and `'static`, as those of hyper are; `BodyExt::boxed` makes any of them
//! `Unpin`.
//!
//! ```
//! # use std::convert::Infallible;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use spillover_hint::{Refusal, Report};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::refusal::ReadRefusalLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! const BODY: &str = r#"{"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}"#;
//! let service = ServiceBuilder::new()
//!     .layer(ReadRefusalLayer::new())
//!     .service(service_fn(|_: Request<()>| async {
//!         Ok::<_, Infallible>(Response::builder().status(429).body(Full::<bytes::Bytes>::from(BODY)).unwrap())
//!     }));
//!
//! let response = service.oneshot(Request::new(())).await?;
//! let report = response.extensions().get::<Report>().expect("it was in doubt");
//! assert_eq!(report.refusal(), Refusal::Quota);
//! assert_eq!(report.cause(), Some("You exceeded your current quota."));
//! assert_eq!(response.into_body().collect().await?.to_bytes(), BODY);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`LateReport`]: spillover_core::layer::LateReport
//! [`Report`]: spillover_hint::Report
//! [`Report::needs_body`]: spillover_hint::Report::needs_body
//! [`Selected`]: spillover_core::Selected
//! [`Attempts`]: spillover_core::Attempts

#[cfg(test)]
mod tests;

use tower_layer::Layer;

use crate::peek::Peek;

/// Reads the bodies of refusals that are in doubt; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct ReadRefusalLayer {
    _priv: (),
}

impl ReadRefusalLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for ReadRefusalLayer {
    type Service = Peek<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Peek::new(inner, None, true)
    }
}

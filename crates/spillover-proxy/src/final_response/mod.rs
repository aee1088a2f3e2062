//! Finishes the responses of a pool: chooses the error that a client reads when no backend served its request, and adds
//! response fields.
//!
//! | refusals of the backends | the client gets |
//! |---|---|
//! | of different kinds, one of them temporary | 429 with the time at which the pool opens. For example, the first backend is at its rate limit and the second refuses the proxy's key: 429 and not 401 |
//! | about the proxy's own credential or bill, while another backend is full or at a limit | the same 429 |
//! | about the proxy's own credential or bill | the status without the backend's words, which may quote a key or name an account |
//! | anything else | the backend's refusal, unchanged |
//!
//! [Errors](crate::error) that inner layers left without a body get one here, in the format of the client. Every response gets
//! the [`BackendFields`] of its backend, such as `x-spillover-backend`, and the [rules](FinalResponseLayer::rules) of the layer.
//!
//! The layer goes outside `RetryThrottled` of `tower-spillover`. It reads `Selected`, `Outcome` and `Attempts` in the extensions of
//! the response; a response without them passes unchanged.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use spillover_core::{Backend, Pool};
//! use spillover_proxy::final_response::{BackendFields, FinalResponseLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::stack::SpilloverLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new([Backend::builder("ptu").url("https://ptu.example").build()?])?;
//! let service = ServiceBuilder::new()
//!     .layer(FinalResponseLayer::new(pool.backends().map(BackendFields::new)))
//!     .layer(SpilloverLayer::new(pool.clone()))
//!     .service(service_fn(async |_: Request<_>| {
//!         let response = Response::builder().status(402);
//!         Ok::<_, Infallible>(response.body(Full::<Bytes>::from("account 7 has no credit")).unwrap())
//!     }));
//! let request = Request::get("/v1/models").body(Full::<Bytes>::default())?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), 402);
//! assert_eq!(response.headers()["x-spillover-backend"], "ptu");
//! let body = response.into_body().collect().await?.to_bytes();
//! assert!(!String::from_utf8_lossy(&body).contains("account 7"));
//! # Ok(())
//! # }
//! ```

mod fields;
mod future;
mod layer;
mod service;
#[cfg(test)]
mod tests;
mod words;

pub use self::{
    fields::BackendFields, future::ResponseFuture, layer::FinalResponseLayer,
    service::FinalResponse, words::all_closed,
};

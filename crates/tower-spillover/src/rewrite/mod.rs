//! Makes a request one for the backend that was selected.
//!
//! What it does to a request that has a [`Selected`](spillover_core::Selected) in its extensions:
//!
//! * scheme and authority become the backend's, whatever the request target named;
//! * the base path of the backend is put in front of the path;
//! * `host` becomes the backend's;
//! * when the backend has a deployment, it replaces the path segment after the first `deployments`; in a path without one, as
//!   that of Azure's realtime API, the parameter `deployment` of the query; and nothing else;
//! * when the backend has a credential, every credential of the client is removed, and the backend's is set. Without one the
//!   client's pass.
//!
//! Clients have credentials in the fields `authorization`, `api-key`, `ocp-apim-subscription-key`, `x-api-key` and
//! `x-goog-api-key`; where they cannot set fields, in the parameters `api-key`, `subscription-key` and `key` of the query, and
//! in the subprotocol `openai-insecure-api-key.*` of a WebSocket. The rest of the query stays as it is.
//!
//! A request target without a path (`*`, or only an authority) becomes the base path. A request without a `Selected`
//! passes through unchanged. Responses are not touched.
//!
//! It goes between [`PrioritySelect`](crate::select) and the client, inside [`RetryThrottled`](crate::retry): every attempt
//! rewrites the original request.
//!
//! ```
//! # use std::convert::Infallible;
//! use http::{Request, Response};
//! use spillover_core::{Backend, Credential, Pool, Tried, Scope};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::rewrite::RewriteRequestLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let pool = Pool::new([Backend::builder("sweden")
//!     .url("https://sweden.example/base")
//!     .deployment("gpt-4o-sweden")
//!     .credential(Credential::api_key("k")?)
//!     .build()?])?;
//!
//! let service = ServiceBuilder::new()
//!     .layer(RewriteRequestLayer::new())
//!     .service(service_fn(|request: Request<()>| async move {
//!         assert_eq!(request.uri(), "https://sweden.example/base/openai/deployments/gpt-4o-sweden/chat/completions?v=1");
//!         assert_eq!(request.headers()["host"], "sweden.example");
//!         assert_eq!(request.headers()["api-key"], "k");
//!         assert!(!request.headers().contains_key("authorization"));
//!         Ok::<_, Infallible>(Response::new(()))
//!     }));
//!
//! let mut request = Request::post("/openai/deployments/gpt-4o/chat/completions?v=1")
//!     .header("authorization", "Bearer of the client")
//!     .body(())?;
//! let selected = pool.select(&Tried::new(), Scope::WHOLE, tokio::time::Instant::now(), 0).expect("it is open");
//! request.extensions_mut().insert(selected);
//! service.oneshot(request).await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Caveats
//!
//! A tonic `Channel` sets scheme and authority itself, to those of its endpoint: there this layer is of use for the path
//! and the credential only, and [`BackendSteer`](crate::steer) chooses the channel.

mod layer;
mod path;
mod query;
mod service;
mod subprotocol;
#[cfg(test)]
mod tests;

pub use self::{layer::RewriteRequestLayer, service::RewriteRequest};

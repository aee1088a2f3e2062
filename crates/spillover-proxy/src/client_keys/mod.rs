//! API keys of clients, each with an optional rate limit.
//!
//! With keys configured, a request
//!
//! * gets 401 unless it has one of them: in a header field that clients of LLM APIs use, in the query, or in a subprotocol of a
//!   WebSocket;
//! * gets 429 with the wait, when the key is at its requests per minute;
//! * otherwise loses the key, so that no backend sees it, and gets the [`Client`] in its extensions. Other credentials stay,
//!   e.g. a token for the backend.
//!
//! Without keys every request passes.
//!
//! The layer belongs inside the access log, which logs the client, and inside [`cors`](crate::cors), so that pages can read the
//! refusals. Secrets are compared by SHA-256 and in constant time.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use sha2::{Digest, Sha256};
//! use spillover_proxy::client_keys::{Client, ClientKey, ClientKeysLayer, KeyRing};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let keys = KeyRing::new(&[ClientKey {
//!     name: "team-a".into(),
//!     sha256: Sha256::digest("secret").into(),
//!     pools: vec!["chat".into()],
//!     requests_per_minute: None,
//! }]);
//! let service = ServiceBuilder::new()
//!     .layer(ClientKeysLayer::new(keys))
//!     .service(service_fn(async |request: Request<()>| {
//!         let client: &Client = request.extensions().get().unwrap();
//!         assert_eq!(&**client.name(), "team-a");
//!         assert!(client.may_use("chat") && !client.may_use("images"));
//!         assert!(!request.headers().contains_key("authorization"));
//!         Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//! for (key, status) in [("Bearer secret", 200), ("Bearer other", 401)] {
//!     let request = Request::get("/").header("authorization", key);
//!     let response = service.clone().oneshot(request.body(()).unwrap()).await.unwrap();
//!     assert_eq!(response.status(), status);
//! }
//! # }
//! ```

mod client;
mod counts;
mod key_ring;
mod layer;
mod options;
mod presented;
mod rate;
mod refusal;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    client::Client,
    counts::{ClientCounts, Snapshot},
    key_ring::KeyRing,
    layer::ClientKeysLayer,
    options::ClientKey,
    service::ClientKeys,
};

//! Makes a request one for the backend that was selected.
//!
//! A request that has a [`Selected`](spillover_core::Selected) in its extensions is changed so:
//!
//! * scheme and authority become the backend's, whatever the request target named;
//! * the base path of the backend is put in front of the path;
//! * `host` is removed: the client writes the one that belongs to the URI;
//! * a version above HTTP/1.1 becomes that: the connection to the backend has a version of its own;
//! * the path becomes one that the backend's [kind](spillover_core::BackendKind) has, see below;
//! * when the backend has a deployment, it replaces the path segment after the first `deployments`; in a path without one, as
//!   that of Azure's realtime API, the parameter `deployment` of the query;
//! * when the backend has a [model](spillover_core::Backend::model), which by default is its deployment, it replaces the parameter
//!   `model` of the query, as that of OpenAI's realtime API, in a path without a deployment. Bodies are left alone;
//! * when the backend has a credential, every credential of the client is removed, and the backend's is set. Without one the
//!   client's pass.
//!
//! # Paths
//!
//! The v1 API of OpenAI is below `/v1` there, and below `/openai/v1` at Azure, which has a dated API beside it. Clients may ask
//! for any of them: the [kind](spillover_core::BackendKind) of the backend decides how a path is mapped.
//!
//! | path of the client | at `Azure` | at `OpenAi` | at `Other` |
//! |---|---|---|---|
//! | `/v1/messages`, `/v1/messages/...` | `/anthropic/v1/messages...` | as it is | as it is |
//! | `/v1/...` | `/openai/v1/...` | `/v1/...` | `/v1/...` |
//! | `/openai/v1/...` | as it is | `/v1/...` | as it is |
//! | `/openai/deployments/NAME/OPERATION?api-version=...` | as it is | `/v1/OPERATION`, with a [`ModelFromPath`] | as it is |
//! | `/openai/...?api-version=...` | as it is | `/v1/...` | as it is |
//! | any other, or one with a segment `.` or `..` | as it is | as it is | as it is |
//!
//! At `OpenAi` a path of Azure loses its `api-version`, and a parameter `deployment` becomes `model`, as in `/openai/realtime`. A
//! path below `/openai` that OpenAI has not, such as that of `extensions/chat/completions`, stays as it is, with an
//! [`UnsupportedPath`] in the extensions.
//!
//! A URL that ends with the root of an API, as the base URLs of SDKs do, has that root only once: `https://x.example/v1` and
//! the path `/v1/models` are `https://x.example/v1/models`. At `Azure` these roots are `/openai/v1`, `/openai`, `/anthropic/v1`,
//! `/anthropic` and `/v1`, for paths below `/v1`, `/openai` or `/anthropic`. A URL that ends with one of `/anthropic` has every path
//! below `/v1` there. At `OpenAi` it is `/v1`. At `Other` it is `/v1` for a path below `/v1`, and `/openai/v1` for one below
//! `/openai/v1`.
//!
//! # Credentials
//!
//! Clients have credentials in the fields `authorization`, `api-key`, `ocp-apim-subscription-key`, `x-api-key` and
//! `x-goog-api-key`; where they cannot set fields, in the parameters `api-key`, `subscription-key` and `key` of the query, and
//! in the subprotocol `openai-insecure-api-key.*` of a WebSocket. A backend with its own credential gets none of them, and no field
//! about the account of a client's credential: `openai-organization`, `openai-project`, `chatgpt-account-id`,
//! `x-goog-user-project`. The rest of the query stays as it is.
//!
//! A request target without a path (`*`, or only an authority) becomes the base path. A request without a `Selected`
//! passes through unchanged. Responses are not touched.
//!
//! The layer goes between [`PrioritySelect`](crate::select) and the client, inside [`RetryThrottled`](crate::retry): every attempt
//! rewrites the original request.
//!
//! ```
//! # use std::convert::Infallible;
//! use http::{Request, Response};
//! use spillover_core::{Backend, Credential, Pool, Query};
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
//!         assert!(!request.headers().contains_key("host"));
//!         assert_eq!(request.headers()["api-key"], "k");
//!         assert!(!request.headers().contains_key("authorization"));
//!         Ok::<_, Infallible>(Response::new(()))
//!     }));
//!
//! let mut request = Request::post("/openai/deployments/gpt-4o/chat/completions?v=1")
//!     .header("authorization", "Bearer of the client")
//!     .body(())?;
//! let selected = pool.select(&Query::new(), tokio::time::Instant::now(), 0).expect("it is open");
//! request.extensions_mut().insert(selected);
//! service.oneshot(request).await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # `Host` and `:authority`
//!
//! Over HTTP/2 a request names its host in `:authority` alone
//! ([RFC 9113 section 8.3.1](https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1)), and some servers, such as nginx before
//! 1.29.1, answer 400 to one that has `host` as well. Over HTTP/1.1 it has exactly one `Host`
//! ([RFC 9112 section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)). Which of the two it is, the client knows when
//! it has a connection. hyper-util's `legacy::Client`, `reqwest` and tonic's `Channel` write either from the URI.
//!
//! hyper's `client::conn::http1::SendRequest` does not, and takes a URI without an authority, too: a service between this
//! layer and one of those sets both.
//!
//! ```
//! use http::{Request, Uri, header::HOST};
//!
//! fn for_http1<B>(mut request: Request<B>) -> Request<B> {
//!     if let Some(authority) = request.uri().authority() {
//!         let host = authority.as_str().parse().expect("an authority is a valid value");
//!         request.headers_mut().insert(HOST, host);
//!     }
//!     let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
//!     *request.uri_mut() = path.parse::<Uri>().expect("it was part of one");
//!     request
//! }
//!
//! let request = for_http1(Request::get("https://sweden.example/v1/models").body(())?);
//! assert_eq!(request.headers()["host"], "sweden.example");
//! assert_eq!(request.uri(), "/v1/models");
//! # Ok::<_, http::Error>(())
//! ```
//!
//! # Caveats
//!
//! A tonic `Channel` sets scheme and authority itself, to those of its endpoint: there this layer is of use for the path
//! and the credential only, and [`BackendSteer`](crate::steer) chooses the channel.

mod api;
mod layer;
mod model;
mod path;
mod query;
mod service;
mod subprotocol;
#[cfg(test)]
mod tests;

pub use self::{
    layer::RewriteRequestLayer,
    model::{ModelFromPath, UnsupportedPath},
    service::RewriteRequest,
};

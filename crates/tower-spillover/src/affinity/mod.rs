//! Binds related requests to one backend, such as those of a conversation.
//!
//! [`BindAffinityLayer`] puts an [`Affinity`](spillover_core::Affinity) into the extensions of a request that has a key, and
//! [`PrioritySelect`](crate::select) obeys it. For example one backend has the beginning of a conversation in its cache, or a
//! file exists only at the backend that created it. The first [`AffinityKey`] that a request has decides:
//!
//! | key | value |
//! |---|---|
//! | [`Header`](AffinityKey::Header) | a header field, such as `x-session-id` |
//! | [`BodyField`](AffinityKey::BodyField) | a string field of the JSON body, such as `user` or `prompt_cache_key` |
//! | [`Id`](AffinityKey::Id) | the id of an object that was created through the layer, in the path or in a field of the body |
//! | [`Cookie`](AffinityKey::Cookie) | a cookie. The response to a request without it sets one with a random value |
//!
//! Keys that are read from bodies need [`ModelScopeLayer`](crate::model::ModelScopeLayer) outside of this layer, with the
//! fields of [`AffinityOptions::body_fields`].
//!
//! ```
//! # #[cfg(feature = "full")] {
//! # use std::convert::Infallible;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{
//!     Backend, Pool, Selected,
//!     affinity::{AffinityKey, AffinityOptions, BindAffinityLayer},
//!     stack::SpilloverLayer,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let pool = Pool::new([
//!     Backend::builder("a").url("http://a.example").build()?,
//!     Backend::builder("b").url("http://b.example").build()?,
//! ])?;
//! let options = AffinityOptions {
//!     keys: vec![AffinityKey::Id],
//!     ..AffinityOptions::default()
//! };
//! let mut service = ServiceBuilder::new()
//!     .layer(BindAffinityLayer::new(options))
//!     .layer(SpilloverLayer::new(pool))
//!     .service(service_fn(|_: Request<_>| async {
//!         Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(r#"{"id":"file-1"}"#)))
//!     }));
//!
//! let upload = Request::post("/v1/files").body(Full::<Bytes>::from("a file"))?;
//! let created = service.ready().await?.call(upload).await?;
//! let backend = created.extensions().get::<Selected>().unwrap().index();
//! created.into_body().collect().await?;
//!
//! // Each request that names the file goes to the backend that has it.
//! for _ in 0..10 {
//!     let download = Request::get("/v1/files/file-1/content").body(Full::<Bytes>::default())?;
//!     let response = service.ready().await?.call(download).await?;
//!     assert_eq!(response.extensions().get::<Selected>().unwrap().index(), backend);
//! }
//! # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! # })?;
//! # }
//! # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # Ids
//!
//! The layer reads the `id` in the first 4 KiB of a successful response to a POST at `responses`, `conversations`, `files`,
//! `uploads`, `batches`, `assistants`, `threads`, `vector_stores`, `containers`, `videos`, `jobs`, `evals`, `runs`, `skills`, `calls` or
//! `cachedContents`, while the body passes. Of Google's objects the layer reads the `name`, such as `files/abc`. Such a request gets `accept-encoding: identity`, since the id is not read from a compressed body. [`KnownIds`] holds the ids.
//!
//! A URL in `x-goog-upload-url`, `operation-location` or `location` of a successful response binds as well: by its `upload_id`, or
//! else by the last segment of its path, if that has a digit.
//!
//! # Cookies
//!
//! The cookie lasts as long as the session of a browser, is `HttpOnly` and `SameSite=Lax`, and holds 64 random bits
//! ([RFC 6265, section 4.1](https://www.rfc-editor.org/rfc/rfc6265#section-4.1)).
//!
//! # Caveats
//!
//! The layer goes outside of [`RetryThrottled`](crate::retry), so that each attempt of a request has the same affinity. The
//! backend of an id is taken from the [`Selected`](spillover_core::Selected) in the response.

mod body;
mod cookie;
mod future;
mod known_ids;
mod layer;
mod options;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    body::ObserveIdBody,
    future::ResponseFuture,
    known_ids::KnownIds,
    layer::BindAffinityLayer,
    options::{AffinityKey, AffinityOptions},
    service::BindAffinity,
};

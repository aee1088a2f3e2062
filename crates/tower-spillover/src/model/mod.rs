//! Reads the model that a request names, so that limits and cooldowns apply per model.
//!
//! [`ModelScopeLayer`] puts the [`Scope`](spillover_core::Scope) of a request into its extensions. The first source that names a model decides:
//!
//! | source | example |
//! |---|---|
//! | [model or deployment in the path](spillover_core::model_in_path) | `/openai/deployments/gpt-4o/chat/completions` |
//! | field `model` of a JSON body | `{"model":"gpt-4o"}` |
//! | part `model` of a multipart form | `name="model"` in an upload for transcription |
//! | parameter `model` or `deployment` of the query, where no body is read | `/v1/realtime?model=gpt-4o` |
//! | the path itself | `/v1/files` |
//!
//! A request that counts tokens, such as `/v1/messages/count_tokens`, has a scope of its own for all models.
//!
//! The layer reads a body up to its model, through its content coding, and passes the whole body on unchanged. Other fields
//! of a JSON body can be [extracted](Fields) at the same time. If something depends on the model, see [`Uses`], the layer reads
//! the body to its end. A body with a second model is then [`Rejected`], and so is a form that parsers read in different ways.
//! Otherwise a backend could use another model than the one that was checked.
//!
//! ```
//! # #[cfg(feature = "full")] {
//! # use std::convert::Infallible;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::{Scope, model::{Extracted, Fields, ModelScopeLayer, ReadBody, Uses}};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let fields = Fields::new(["user"], Uses::default());
//! let service = ServiceBuilder::new()
//!     .layer(ModelScopeLayer::new(fields))
//!     .service(service_fn(|request: Request<ReadBody<Full<Bytes>>>| async move {
//!         assert_eq!(request.extensions().get::<Scope>(), Some(&Scope::of_model("gpt-4o")));
//!         let extracted = request.extensions().get::<Extracted>().unwrap();
//!         assert_eq!(extracted.field("user"), Some("me"));
//!         // The body is still complete.
//!         Ok::<_, Infallible>(Response::new(Full::new(request.into_body().collect().await.unwrap().to_bytes())))
//!     }));
//!
//! let body = r#"{"user":"me","model":"gpt-4o","messages":[]}"#;
//! let request = Request::post("/v1/chat/completions").header("content-type", "application/json");
//! let response = service.oneshot(request.body(Full::<Bytes>::from(body))?).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), body);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Replacing the model
//!
//! [`Extracted::edit_to_replace`] and [`Extracted::edit_to_insert`] return the [`Edit`] that puts the model of a backend into
//! a body. [`Edit::apply`] changes the head of the request, and its body while the body passes.
//!
//! # Caveats
//!
//! The layer reads at most 1 MiB of a body, or 32 MiB if something depends on the model. It buffers at most 1 GiB of all
//! bodies together while it reads them. A longer body passes unchanged, and the path of its request is the scope.

mod budget;
mod edit;
mod extracted;
mod fields;
mod form;
mod future;
mod json;
mod layer;
mod query;
mod read_body;
mod rejected;
mod scan;
mod service;
mod splice;
#[cfg(test)]
mod tests;
mod unreadable;

pub use self::{
    edit::{Edit, ModelName},
    extracted::Extracted,
    fields::{Fields, Uses},
    future::ResponseFuture,
    layer::ModelScopeLayer,
    query::models as models_in_query,
    read_body::ReadBody,
    rejected::{EmptyResponse, Rejected, ResponseForRejected},
    service::ModelScope,
    splice::SplicedBody,
    unreadable::Unreadable,
};

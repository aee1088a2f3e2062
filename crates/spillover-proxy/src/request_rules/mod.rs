//! Adapts the request of an attempt to its backend: header rules, a token, and the model in the body.
//!
//! | rule | effect |
//! |---|---|
//! | [`headers`](RequestRules::headers) | sets and removes header fields |
//! | [`bearer`](RequestRules::bearer) | sets `authorization`, e.g. to a token that expires |
//! | the backend's [model](spillover_core::Backend::model) | replaces the model in JSON bodies and forms |
//! | a backend of [OpenAI's kind](spillover_core::BackendKind::OpenAi) | gets the deployment of an Azure path as the model of its body |
//!
//! A backend that cannot be asked, e.g. without a token, is answered for: the response is an [error](crate::error) without a body,
//! and `RetryThrottled` asks the next backend. The reason is logged as `attempt failed`.
//!
//! The layer goes inside `RewriteRequest` of `tower-spillover`, and needs `ModelScope` outside for the rules about models. It reads
//! `Selected` and `Extracted` in the extensions of the request. A request without a selected backend passes unchanged.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response, header::AUTHORIZATION};
//! use http_body_util::Full;
//! use spillover_core::{Backend, Pool, Query};
//! use spillover_proxy::request_rules::{RequestRules, RequestRulesLayer};
//! use tokio::time::Instant;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let backend = Backend::builder("azure").url("https://azure.example").build()?;
//! let rules = RequestRules::new(&backend).bearer(|| Ok("Bearer of-today".parse()?));
//! let service = ServiceBuilder::new()
//!     .layer(RequestRulesLayer::new([rules]))
//!     .service(service_fn(async |request: Request<_>| {
//!         assert_eq!(request.headers()[AUTHORIZATION], "Bearer of-today");
//!         Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//!
//! let selected = Pool::new([backend])?.select(&Query::new(), Instant::now(), 0);
//! let request = Request::get("/v1/models").extension(selected.expect("it is open"));
//! service.oneshot(request.body(Full::<Bytes>::default())?).await?;
//! # Ok(())
//! # }
//! ```

mod rules;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use spillover_core::Selected;
use tower::{BoxError, Layer, Service};
use tower_spillover::model::SplicedBody;

pub use self::rules::RequestRules;
use crate::future::ResponseFuture;

/// Applies the rules of the selected backend to the request of an attempt; see the [module](self).
#[derive(Clone, Debug)]
pub struct RequestRulesLayer {
    /// Rules by the index of the backend. `None` if no backend has any.
    of_backends: Option<Arc<[RequestRules]>>,
}

impl RequestRulesLayer {
    /// Creates the layer with the rules of each backend, in the order of the pool.
    pub fn new(backends: impl IntoIterator<Item = RequestRules>) -> Self {
        let rules: Arc<[_]> = backends.into_iter().collect();
        let is_any = rules.iter().any(|rules| !rules.is_empty());
        Self {
            of_backends: is_any.then_some(rules),
        }
    }
}

impl<S> Layer<S> for RequestRulesLayer {
    type Service = ApplyRequestRules<S>;

    fn layer(&self, inner: S) -> ApplyRequestRules<S> {
        ApplyRequestRules {
            inner,
            rules: self.clone(),
        }
    }
}

/// Service of [`RequestRulesLayer`].
#[derive(Clone, Debug)]
pub struct ApplyRequestRules<S> {
    inner: S,
    rules: RequestRulesLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ApplyRequestRules<S>
where
    S: Service<Request<SplicedBody<ReqBody>>, Response = Response<ResBody>, Error = Infallible>,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let selected = request.extensions().get::<Selected>();
        let rules = self.rules.of_backends.as_deref().zip(selected);
        let rules = rules.and_then(|(rules, selected)| rules.get(selected.index()));
        let Some(rules) = rules else {
            let request = request.map(SplicedBody::unchanged);
            return ResponseFuture::inner(self.inner.call(request));
        };
        match rules.changes(request.extensions()) {
            Ok(changes) => {
                let request = rules.apply(request, changes);
                ResponseFuture::inner(self.inner.call(request))
            }
            Err(refusal) => {
                let backend = selected.map(|selected| selected.backend().label());
                tracing::warn!(backend, error = %refusal, "attempt failed");
                ResponseFuture::answer(refusal.response())
            }
        }
    }
}

//! Adapts the request of an attempt to its backend: header rules, the model in the body, and tokens of Entra ID.

mod headers;
#[cfg(test)]
mod tests;

pub(crate) use self::headers::HeaderRules;
use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body::Body;
use spillover_proxy::{
    error::{ErrorKind, ProxyError},
    future::ResponseFuture,
};
use tower::{BoxError, Layer, Service};
use tower_spillover::{
    BackendKind, Declined, Selected,
    model::{Edit, Extracted, ModelName, SplicedBody, Unreadable},
    rewrite::{ModelFromPath, UnsupportedPath},
};

use crate::{
    entra::{Missing, Tokens},
    model::unreadable_attempt,
    site::{BackendConfig, CredentialSource},
};

/// Applies the rules of the selected backend to the request of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct RulesLayer {
    /// Rules by the index of the backend. `None` when no backend has any.
    of_backends: Option<Arc<[Rules]>>,
}

#[derive(Debug)]
struct Rules {
    headers: HeaderRules,
    /// Model that replaces the one in request bodies.
    model: Option<ModelName>,
    /// True when the model is replaced even if the path names a deployment.
    is_model_own: bool,
    /// True when a deployment of the path may have to be inserted into the body.
    takes_model_of_path: bool,
    tokens: Option<Tokens>,
}

impl RulesLayer {
    /// Creates the layer. `tokens` serve the backends whose credential is Entra ID.
    pub(crate) fn new(backends: &[BackendConfig], tokens: Option<&Tokens>) -> Self {
        let rules = backends.iter().map(|config| Rules::new(config, tokens));
        let rules: Arc<[Rules]> = rules.collect();
        let is_any = rules.iter().any(|rules| !rules.is_empty());
        Self {
            of_backends: is_any.then_some(rules),
        }
    }
}

impl Rules {
    fn new(config: &BackendConfig, tokens: Option<&Tokens>) -> Self {
        let backend = &config.backend;
        let tokens = tokens.filter(|_| config.credential == CredentialSource::Entra);
        Self {
            headers: config.request_headers.clone(),
            model: backend.model().map(ModelName::new),
            is_model_own: backend.own_model().is_some(),
            takes_model_of_path: backend.kind() == BackendKind::OpenAi,
            tokens: tokens.cloned(),
        }
    }

    fn is_empty(&self) -> bool {
        let takes_model = self.model.is_some() || self.takes_model_of_path;
        !takes_model && self.headers.is_empty() && self.tokens.is_none()
    }

    /// Returns the value of `authorization`, if the backend needs a token.
    fn bearer(&self) -> Result<Option<HeaderValue>, Missing> {
        self.tokens.as_ref().map(Tokens::bearer).transpose()
    }

    /// Returns the edit of the request body, if one is needed.
    fn edit(&self, extensions: &Extensions) -> Result<Option<Edit>, Refusal> {
        if extensions.get::<UnsupportedPath>().is_some() {
            return Err(Refusal::NoPath);
        }
        let found = extensions.get::<Extracted>();
        let unreadable = found.and_then(Extracted::unreadable_reason);
        if let Some(moved) = extensions.get::<ModelFromPath>() {
            let edit = found.and_then(|found| match &self.model {
                Some(model) => found.edit_to_insert(model),
                None => found.edit_to_insert(&ModelName::new(moved.model())),
            });
            let refusal = || {
                unreadable
                    .cloned()
                    .map_or(Refusal::NoPlace, Refusal::Unreadable)
            };
            return edit.map(Some).ok_or_else(refusal);
        }
        let (Some(model), Some(found)) = (&self.model, found) else {
            return Ok(None);
        };
        if found.is_in_path() && !self.is_model_own {
            return Ok(None);
        }
        match unreadable {
            Some(unreadable) => Err(Refusal::Unreadable(unreadable.clone())),
            None => Ok(found.edit_to_replace(model)),
        }
    }

    fn apply<B: Body<Data = Bytes>>(
        &self,
        mut request: Request<B>,
        bearer: Option<HeaderValue>,
        edit: Option<Edit>,
    ) -> Request<SplicedBody<B>> {
        self.headers.apply(request.headers_mut());
        if let Some(bearer) = bearer {
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        match edit {
            Some(edit) => edit.apply(request),
            None => request.map(SplicedBody::unchanged),
        }
    }
}

/// The reason why a backend cannot be asked.
enum Refusal {
    NoToken(Missing),
    /// The backend has no such path.
    NoPath,
    /// The backend reads the model in the body, and this one has no place for it.
    NoPlace,
    Unreadable(Unreadable),
}

impl Refusal {
    /// Returns the response in place of the backend's. Another backend may serve the request without a token or a model.
    fn response<B: From<Bytes>>(&self) -> Response<B> {
        let mut response = match self {
            Self::NoToken(_) => return without_token().into_response(),
            Self::NoPath => without_path().into_response(),
            Self::NoPlace => without_place().into_response(),
            Self::Unreadable(unreadable) => unreadable_attempt(unreadable),
        };
        response.extensions_mut().insert(Declined);
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken(missing) => missing.fmt(f),
            Self::NoPath => f.write_str("the backend has no such path"),
            Self::NoPlace => f.write_str("the body has no place for the model that the path named"),
            Self::Unreadable(_) => f.write_str("the model in the body cannot be read"),
        }
    }
}

impl<S> Layer<S> for RulesLayer {
    type Service = BackendRules<S>;

    fn layer(&self, inner: S) -> BackendRules<S> {
        BackendRules {
            inner,
            rules: self.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct BackendRules<S> {
    inner: S,
    rules: RulesLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for BackendRules<S>
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
        let bearer = rules.bearer().map_err(Refusal::NoToken);
        let edit = bearer.and_then(|bearer| Ok((bearer, rules.edit(request.extensions())?)));
        match edit {
            Ok((bearer, edit)) => {
                let request = rules.apply(request, bearer, edit);
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

/// Returns the error for a missing token. The log has the reason, which is for operators only.
fn without_token() -> ProxyError {
    ProxyError {
        kind: ErrorKind::Unavailable,
        message: "The gateway has no credential for the backend at the moment.".into(),
    }
}

fn without_path() -> ProxyError {
    ProxyError {
        kind: ErrorKind::NoPool,
        message: "No backend that could be asked has this path of Azure OpenAI.".into(),
    }
}

fn without_place() -> ProxyError {
    ProxyError {
        kind: ErrorKind::Unsupported,
        message: "The path names a deployment, and the backend takes the model from the body. Send a JSON object or a form of at \
                  most 32 MiB, whose model is a string if there is one."
            .into(),
    }
}

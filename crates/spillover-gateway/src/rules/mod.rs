//! Makes of a request what its backend wants besides the layers of the library: fields, the model in the body, a token.

mod body;
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
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body::Body;
use tower::{BoxError, Layer, Service};
use tower_spillover::{
    BackendKind, Declined, Selected,
    rewrite::{ModelFromPath, UnsupportedPath},
};

pub(crate) use self::body::SplicedBody;
use crate::{
    entra::{Missing, Tokens},
    model_scope::{Edit, Found, Model, Unreadable},
    site::{BackendConfig, CredentialSource},
};
use spillover_proxy::error::ErrorKind;
use spillover_proxy::error::ProxyError;
use spillover_proxy::future::ResponseFuture;
use spillover_proxy::limits::content_length;

/// Applies the rules of the selected backend to the request of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct RulesLayer {
    /// By the index of the backend; `None` when there is none for any.
    of_backends: Option<Arc<[Rules]>>,
}

#[derive(Debug)]
struct Rules {
    headers: HeaderRules,
    /// The model that replaces the one in bodies.
    model: Option<Model>,
    /// The model is replaced also where the path names a deployment.
    is_model_own: bool,
    /// A model that the path named may have to be put into the body.
    takes_model_of_path: bool,
    tokens: Option<Tokens>,
}

impl RulesLayer {
    /// `tokens` are for the backends that want one of Entra ID.
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
            model: backend.model().map(Model::new),
            is_model_own: backend.own_model().is_some(),
            takes_model_of_path: backend.kind() == BackendKind::OpenAi,
            tokens: tokens.cloned(),
        }
    }

    fn is_empty(&self) -> bool {
        let takes_model = self.model.is_some() || self.takes_model_of_path;
        !takes_model && self.headers.is_empty() && self.tokens.is_none()
    }

    /// The field with the token, where there is to be one.
    fn bearer(&self) -> Result<Option<HeaderValue>, Missing> {
        self.tokens.as_ref().map(Tokens::bearer).transpose()
    }

    /// The change that the body of a request needs, if it needs one.
    fn edit(&self, extensions: &Extensions) -> Result<Option<Edit>, Refusal> {
        if extensions.get::<UnsupportedPath>().is_some() {
            return Err(Refusal::NoPath);
        }
        let found = extensions.get::<Found>();
        let unreadable = found.and_then(Found::why_unreadable);
        if let Some(moved) = extensions.get::<ModelFromPath>() {
            let edit = found.and_then(|found| match &self.model {
                Some(model) => found.with_model_put_in(model),
                None => found.with_model_put_in(&Model::new(moved.model())),
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
            None => Ok(found.with_model(model)),
        }
    }

    fn apply<B: Body<Data = Bytes>>(
        &self,
        request: Request<B>,
        bearer: Option<HeaderValue>,
        edit: Option<Edit>,
    ) -> Request<SplicedBody<B>> {
        let (mut head, body) = request.into_parts();
        self.headers.apply(&mut head.headers);
        if let Some(bearer) = bearer {
            head.headers.insert(AUTHORIZATION, bearer);
        }
        let body = match edit {
            Some(edit) => {
                change_head(&mut head.headers, &edit);
                SplicedBody::new(body, edit)
            }
            None => SplicedBody::unchanged(body),
        };
        Request::from_parts(head, body)
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
    /// The answer in place of the backend's. Others may do without the token, or without the model.
    fn response<B: From<Bytes>>(&self) -> Response<B> {
        let mut response = match self {
            Self::NoToken(_) => return without_token().into_response(),
            Self::NoPath => without_path().into_response(),
            Self::NoPlace => without_place().into_response(),
            Self::Unreadable(unreadable) => unreadable.attempt(),
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

/// Makes the head say what the body becomes by this change.
fn change_head(headers: &mut HeaderMap, edit: &Edit) {
    let announced = content_length(headers);
    let length = match edit.coding {
        Some(_) => {
            headers.remove(CONTENT_ENCODING);
            announced.and(edit.length)
        }
        None => announced,
    };
    let grown = edit.text.len() as i64 - edit.place.len() as i64;
    match length.and_then(|length| length.checked_add_signed(grown)) {
        Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
        // Where it says nothing that is understood here, the body itself does.
        None => headers.remove(CONTENT_LENGTH),
    };
    for digest in &DIGESTS {
        headers.remove(digest);
    }
}

/// Of the content that it was (RFC 9530, RFC 3230, RFC 1864).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

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

/// What is missing is for the operator to know, who reads it in the log.
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

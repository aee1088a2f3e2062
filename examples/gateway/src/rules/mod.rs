//! Makes of a request what its backend wants besides the layers of the library: fields, the model in the body, a token.

mod body;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{AUTHORIZATION, CONTENT_LENGTH},
};
use http_body::Body;
use tower::{Layer, Service};
use tower_spillover::Selected;

pub(crate) use self::body::SplicedBody;
use crate::{
    answer::ResponseFuture,
    bounds::announced_length,
    config::{BackendConfig, CredentialSource, HeaderRules},
    dialect::{Dialect, ErrorKind, GatewayError},
    entra::{Missing, Tokens},
    model_scope::Found,
};

/// Applies the rules of the selected backend to the request of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct RulesLayer {
    /// By the index of the backend; `None` when there is none for any.
    of_backends: Option<Arc<[Rules]>>,
}

#[derive(Debug)]
struct Rules {
    headers: HeaderRules,
    /// As it stands in JSON.
    model: Option<Bytes>,
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
        let model = config.model.as_deref();
        let tokens = tokens.filter(|_| config.credential == CredentialSource::Entra);
        Self {
            headers: config.request_headers.clone(),
            model: model.map(|model| serde_json::Value::from(model).to_string().into()),
            tokens: tokens.cloned(),
        }
    }

    fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.model.is_none() && self.tokens.is_none()
    }

    /// The field with the token, where there is to be one.
    fn bearer(&self) -> Result<Option<HeaderValue>, Missing> {
        self.tokens.as_ref().map(Tokens::bearer).transpose()
    }

    fn apply<B: Body<Data = Bytes>>(
        &self,
        request: Request<B>,
        bearer: Option<HeaderValue>,
    ) -> Request<SplicedBody<B>> {
        let (mut head, body) = request.into_parts();
        self.headers.apply(&mut head.headers);
        if let Some(bearer) = bearer {
            head.headers.insert(AUTHORIZATION, bearer);
        }
        let place = head.extensions.get::<Found>().and_then(Found::place);
        let body = match (&self.model, place) {
            (Some(model), Some(place)) => {
                let grown = model.len() as i64 - place.len() as i64;
                grow(&mut head.headers, grown);
                SplicedBody::new(body, place, model.clone())
            }
            _ => SplicedBody::unchanged(body),
        };
        Request::from_parts(head, body)
    }
}

/// Makes the head say what the body has become.
fn grow(headers: &mut HeaderMap, by: i64) {
    let length = announced_length(headers).and_then(|length| length.checked_add_signed(by));
    match length {
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
    ReqBody: Body<Data = Bytes>,
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
        match rules.bearer() {
            Ok(bearer) => ResponseFuture::inner(self.inner.call(rules.apply(request, bearer))),
            Err(missing) => {
                let backend = selected.map(|selected| selected.backend().label());
                tracing::warn!(backend, error = %missing, "attempt failed");
                let dialect = Dialect::of(request.uri(), request.headers());
                ResponseFuture::answer(without_token().into_response(dialect))
            }
        }
    }
}

/// What is missing is for the operator to know, who reads it in the log.
fn without_token() -> GatewayError {
    GatewayError {
        kind: ErrorKind::Unavailable,
        message: "The gateway has no credential for the backend at the moment.".into(),
    }
}

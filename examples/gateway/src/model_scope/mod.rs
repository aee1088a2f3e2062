//! Tells which limits apply to a request: they are per model, and so are the cooldowns.

mod body;
mod budget;
mod future;
mod query;
mod scan;
mod wanted;

use std::{
    convert::Infallible,
    mem,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, Uri,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body;
use tower::{BoxError, Layer, Service};
use tower_spillover::Scope;

use self::future::ResponseFuture;
pub(crate) use self::{
    body::ReadBody,
    query::models as models_in_query,
    wanted::{Found, Wanted},
};
use crate::bounds::announced_length;

/// Puts the [`Scope`] of a request into its extensions: the `model` in a JSON body that is not too large, the model that the
/// query names where no body is looked into, else the path.
///
/// A path with a deployment says it already; such requests pass through. A body is read as far as its `model`, and goes on
/// with what was read of it.
#[derive(Clone, Debug)]
pub(crate) struct ModelScopeLayer {
    wanted: Wanted,
}

impl ModelScopeLayer {
    /// Puts into the extensions, as [`Found`], what else is wanted of bodies.
    pub(crate) fn new(wanted: Wanted) -> Self {
        Self { wanted }
    }
}

impl<S> Layer<S> for ModelScopeLayer {
    type Service = ModelScope<S>;

    fn layer(&self, inner: S) -> ModelScope<S> {
        ModelScope {
            inner,
            wanted: self.wanted.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ModelScope<S> {
    inner: S,
    wanted: Wanted,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ModelScope<S>
where
    S: Service<Request<ReadBody<ReqBody>>, Response = Response<ResBody>, Error = Infallible>,
    S: Clone,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let is_in_path = Scope::of_path(request.uri().path()).is_some();
        let is_wanted = !is_in_path || self.wanted.is_kept_of_deployments();
        let is_in_body = is_wanted && has_model(&request, self.wanted.limit());
        if !is_in_body {
            if !is_in_path {
                let uri = request.uri();
                let scope = uri.query().and_then(query::scope);
                let scope = scope.unwrap_or_else(|| of_path(uri));
                request.extensions_mut().insert(scope);
            }
            return ResponseFuture::call(self.inner.call(request.map(ReadBody::unread)));
        }
        // The ready service goes along; the clone that stays behind is not ready.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        ResponseFuture::read(inner, request, self.wanted.clone(), is_in_path)
    }
}

/// Of an upload, a list, a body that is too large to be read here: what is limited there is not what chats are.
fn of_path(uri: &Uri) -> Scope {
    Scope::of(uri.path())
}

fn has_model<B>(request: &Request<B>, limit: u64) -> bool {
    request.method() == Method::POST
        && is_json(request.headers())
        && is_plain(request.headers())
        && announced_length(request.headers()).is_none_or(|length| length <= limit)
}

/// Whether the body is as it is read: compressed, it may hold the bytes of a model by chance.
fn is_plain(headers: &HeaderMap) -> bool {
    let encoding = headers.get(CONTENT_ENCODING);
    encoding.is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    value.is_some_and(|value| {
        value
            .get(..JSON.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(JSON))
    })
}

const JSON: &[u8] = b"application/json";

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::CONTENT_LENGTH};

    use super::*;

    #[test]
    fn only_json_of_a_moderate_size_is_read() {
        let request = |kind: &'static str, length: &'static str| {
            Request::post("/v1/chat/completions")
                .header(CONTENT_TYPE, kind)
                .header(CONTENT_LENGTH, length)
                .body(())
                .unwrap()
        };
        let has_model = |request| has_model(&request, 10);
        let kind = "Application/JSON; charset=utf-8";
        assert!(has_model(request(kind, "10")));
        assert!(!has_model(request("multipart/form-data", "9")));
        assert!(!has_model(request(kind, "11")));
        for (encoding, is_read) in [("gzip", false), ("Identity", true)] {
            let mut request = request(kind, "9");
            let encoding = HeaderValue::from_static(encoding);
            request.headers_mut().insert(CONTENT_ENCODING, encoding);
            assert_eq!(has_model(request), is_read);
        }
    }
}

//! Tells which limits apply to a request: they are per model, and so are the cooldowns.

mod body;
mod budget;
mod form;
mod found;
mod future;
mod json;
mod look;
mod query;
#[cfg(test)]
mod tests;
mod unreadable;
mod wanted;

use std::{
    convert::Infallible,
    mem,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use tower::{BoxError, Layer, Service};
use tower_spillover::{
    Scope,
    coding::{Coding, Decoder},
};

pub(crate) use self::{
    body::ReadBody,
    found::{Edit, Found, Model},
    query::models as models_in_query,
    unreadable::Unreadable,
    wanted::{Uses, Wanted},
};
use self::{
    future::ResponseFuture,
    look::{Form, Look},
};

/// Puts the [`Scope`] of a request into its extensions: the `model` in a JSON body or a form that is not too large, the model
/// that the query names where no body is looked into, else the path.
///
/// A path with a deployment says it already; such requests mostly pass through. A body is read as far as its `model`, through
/// its content coding, and goes on as it came.
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
        let is_decisive = self.wanted.is_decisive(is_in_path);
        let form = match self.wanted.is_read(is_in_path) {
            true => Form::of(&request, wanted::limit(is_decisive)),
            false => Ok(None),
        };
        if let Ok(Some(form)) = form {
            let look = Look::begin(form, &self.wanted, is_in_path);
            // The ready service goes along; the clone that stays behind is not ready.
            let clone = self.inner.clone();
            let inner = mem::replace(&mut self.inner, clone);
            return ResponseFuture::read(inner, request, look, is_in_path);
        }
        if !is_in_path {
            let uri = request.uri();
            let scope = uri.query().and_then(query::scope);
            let scope = scope.unwrap_or_else(|| of_path(uri));
            request.extensions_mut().insert(scope);
        }
        if let Err(unreadable) = form
            && is_decisive
        {
            let found = Found::unreadable(self.wanted.clone(), unreadable);
            let found = found.beside_path(is_in_path);
            request.extensions_mut().insert(found);
        }
        ResponseFuture::call(self.inner.call(request.map(ReadBody::unread)))
    }
}

/// Of an upload, a list, a body that is too large to be read here: what is limited there is not what chats are.
fn of_path(uri: &Uri) -> Scope {
    Scope::named(uri.path())
}

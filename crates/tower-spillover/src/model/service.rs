use std::{
    mem,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use spillover_core::{Scope, model_in_path};
use tower::BoxError;
use tower_service::Service;

use super::{
    EmptyResponse, Extracted, Fields, ReadBody, ResponseForRejected, ResponseFuture, fields, query,
    scan::{BodyFormat, BodyScan},
};

/// Puts the scope of a request into its extensions; see the [module](super).
#[derive(Clone, Debug)]
pub struct ModelScope<S, R = EmptyResponse> {
    inner: S,
    fields: Fields,
    response: R,
}

impl<S, R> ModelScope<S, R> {
    pub(super) fn new(inner: S, fields: Fields, response: R) -> Self {
        Self {
            inner,
            fields,
            response,
        }
    }

    inner_service_accessors!();
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for ModelScope<S, R>
where
    S: Service<Request<ReadBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    R: ResponseForRejected<ResBody> + Clone,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let is_in_path = model_in_path(request.uri().path()).is_some();
        let is_decisive = self.fields.is_decisive(is_in_path);
        let format = match self.fields.is_read(is_in_path) {
            true => BodyFormat::of_request(&request, fields::limit(is_decisive)),
            false => Ok(None),
        };
        if let Ok(Some(format)) = format {
            let scan = BodyScan::new(format, &self.fields, is_in_path);
            // The future takes the ready service. The clone that stays is not ready.
            let clone = self.inner.clone();
            let ready = mem::replace(&mut self.inner, clone);
            return ResponseFuture::read(ready, self.response.clone(), request, scan);
        }
        if !is_in_path {
            let uri = request.uri();
            let scope =
                Scope::of_path(uri.path()).or_else(|| uri.query().and_then(query::scope_of_query));
            // For example an upload or a list. Their limits differ from those of chats.
            let scope = scope.unwrap_or_else(|| Scope::named(uri.path()));
            request.extensions_mut().insert(scope);
        }
        if let Err(unreadable) = format
            && is_decisive
        {
            let extracted = Extracted::unreadable(self.fields.clone(), unreadable);
            request
                .extensions_mut()
                .insert(extracted.in_path(is_in_path));
        }
        ResponseFuture::call(self.inner.call(request.map(ReadBody::unread)))
    }
}

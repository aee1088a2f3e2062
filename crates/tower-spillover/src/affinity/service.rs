use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, header::ACCEPT_ENCODING};
use spillover_core::Affinity;
use tower_service::Service;

use super::{
    AffinityKey, AffinityOptions, KnownIds, ObserveIdBody, ResponseFuture,
    cookie::{self, NewCookie},
    known_ids::creates_object,
};
use crate::{
    model::Extracted,
    select::{Draw, ThreadDraw},
};

/// Binds related requests to one backend; see the [module](super).
#[derive(Clone, Debug)]
pub struct BindAffinity<S, D = ThreadDraw> {
    inner: S,
    options: Arc<AffinityOptions>,
    known_ids: KnownIds,
    draw: D,
}

impl<S, D> BindAffinity<S, D> {
    pub(super) fn new(
        inner: S,
        options: Arc<AffinityOptions>,
        known_ids: KnownIds,
        draw: D,
    ) -> Self {
        Self {
            inner,
            options,
            known_ids,
            draw,
        }
    }

    inner_service_accessors!();
}

impl<S, D: Draw> BindAffinity<S, D> {
    /// Returns the affinity of a request, and the cookie to set in its response.
    fn affinity<B>(&self, request: &Request<B>) -> (Option<Affinity>, Option<NewCookie>) {
        let mut keys = self.options.keys.iter();
        if let Some(affinity) = keys.find_map(|key| self.affinity_by(key, request)) {
            return (Some(self.options.bind(affinity)), None);
        }
        let Some(name) = self.options.cookie() else {
            return (None, None);
        };
        let cookie = NewCookie::new(name, self.draw.draw());
        let affinity = Affinity::by_key(cookie.id());
        (Some(self.options.bind(affinity)), Some(cookie))
    }

    fn affinity_by<B>(&self, key: &AffinityKey, request: &Request<B>) -> Option<Affinity> {
        let extracted = || request.extensions().get::<Extracted>();
        let value = match key {
            AffinityKey::Id => return self.known_ids.find(request.uri(), extracted()),
            AffinityKey::Header(name) => request.headers().get(name)?.as_bytes(),
            AffinityKey::BodyField(name) => extracted()?.field(name)?.as_bytes(),
            AffinityKey::Cookie(name) => cookie::find(request.headers(), name)?,
        };
        (!value.is_empty()).then(|| Affinity::by_key(value))
    }
}

impl<S, D, ReqBody, ResBody> Service<Request<ReqBody>> for BindAffinity<S, D>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    D: Draw,
{
    type Response = Response<ObserveIdBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if self.options.keys.is_empty() {
            return ResponseFuture::new(self.inner.call(request), None, None);
        }
        let (affinity, cookie) = self.affinity(&request);
        if let Some(affinity) = affinity {
            request.extensions_mut().insert(affinity);
        }
        if !self.options.keys.contains(&AffinityKey::Id) {
            return ResponseFuture::new(self.inner.call(request), cookie, None);
        }
        let known_ids = Some(self.known_ids.clone());
        if !creates_object(request.method(), request.uri().path()) {
            return ResponseFuture::new(self.inner.call(request), cookie, known_ids);
        }
        // SDKs accept compressed responses, but ids are not read from a compressed body.
        let identity = HeaderValue::from_static("identity");
        request.headers_mut().insert(ACCEPT_ENCODING, identity);
        ResponseFuture::new(self.inner.call(request), cookie, known_ids).observe_id()
    }
}

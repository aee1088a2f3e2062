//! Keeps requests that belong together at one backend.

mod cookie;
mod future;
mod ids;
mod learn;
mod options;
#[cfg(test)]
mod tests;

pub(crate) use self::options::{AffinityConfig, AffinityKey};
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, header::ACCEPT_ENCODING};
use spillover_core::Affinity;
use tower::{Layer, Service};
use tower_spillover::select::{Draw, ThreadDraw};

use self::{cookie::NewCookie, future::ResponseFuture};
pub(crate) use self::{
    ids::{FIELDS as ID_FIELDS, KnownIds},
    learn::LearnBody,
};
use tower_spillover::model::Extracted;

/// Puts an [`Affinity`] into the extensions of requests that have a key, and gives them a cookie where that is to be one.
#[derive(Clone, Debug)]
pub(crate) struct AffinityLayer {
    config: Option<Arc<AffinityConfig>>,
    ids: KnownIds,
}

impl AffinityLayer {
    /// Ids are looked up in `ids`, and noted there.
    pub(crate) fn new(config: Option<AffinityConfig>, ids: KnownIds) -> Self {
        Self {
            config: config.map(Arc::new),
            ids,
        }
    }
}

impl<S> Layer<S> for AffinityLayer {
    type Service = KeepTogether<S>;

    fn layer(&self, inner: S) -> KeepTogether<S> {
        KeepTogether {
            inner,
            layer: self.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct KeepTogether<S> {
    inner: S,
    layer: AffinityLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for KeepTogether<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible>,
{
    type Response = Response<LearnBody<ResBody>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let Some(config) = self.layer.config.as_deref() else {
            return ResponseFuture::new(self.inner.call(request), None, None);
        };
        let (affinity, cookie) = self.layer.find(config, &request);
        if let Some(affinity) = affinity {
            request.extensions_mut().insert(affinity);
        }
        let learns = config.keys.contains(&AffinityKey::Id) && KnownIds::may_make(&request);
        if learns {
            // SDKs ask for compression, and an id is not read from that.
            let plain = HeaderValue::from_static("identity");
            request.headers_mut().insert(ACCEPT_ENCODING, plain);
        }
        let ids = learns.then(|| self.layer.ids.clone());
        ResponseFuture::new(self.inner.call(request), cookie, ids)
    }
}

impl AffinityLayer {
    /// The affinity of a request, and the cookie that it is to have from now on.
    fn find<B>(
        &self,
        config: &AffinityConfig,
        request: &Request<B>,
    ) -> (Option<Affinity>, Option<NewCookie>) {
        let mut keys = config.keys.iter();
        let found = keys.find_map(|key| self.find_by(key, request));
        if let Some(affinity) = found {
            return (Some(config.bind(affinity)), None);
        }
        let cookie = config.cookie().map(|name| {
            let draw = ThreadDraw::default().draw();
            NewCookie::new(name, draw)
        });
        let affinity = cookie.as_ref().map(|cookie| Affinity::by_key(cookie.id()));
        (affinity.map(|affinity| config.bind(affinity)), cookie)
    }

    fn find_by<B>(&self, key: &AffinityKey, request: &Request<B>) -> Option<Affinity> {
        match key {
            AffinityKey::Id => self.ids.find(request),
            AffinityKey::Header(name) => {
                let value = request.headers().get(name)?;
                (!value.is_empty()).then(|| Affinity::by_key(value.as_bytes()))
            }
            AffinityKey::BodyField(name) => {
                let found = request.extensions().get::<Extracted>()?;
                let value = found.field(name).filter(|value| !value.is_empty());
                value.map(Affinity::by_key)
            }
            AffinityKey::Cookie(name) => {
                cookie::find(request.headers(), name).map(Affinity::by_key)
            }
        }
    }
}

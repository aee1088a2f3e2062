use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::{client::Client, key_ring::KeyRing};
use crate::{Progress, future::ResponseFuture};

/// Service of [`ClientKeysLayer`](super::ClientKeysLayer).
#[derive(Clone, Debug)]
pub struct ClientKeys<S> {
    inner: S,
    keys: Arc<KeyRing>,
}

impl<S> ClientKeys<S> {
    pub(super) fn new(inner: S, keys: Arc<KeyRing>) -> Self {
        Self { inner, keys }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ClientKeys<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if self.keys.is_empty() {
            return ResponseFuture::inner(self.inner.call(request));
        }
        match self.keys.admit(&mut request) {
            Ok(client) => {
                record_client(&request, &client);
                request.extensions_mut().insert(client);
                ResponseFuture::inner(self.inner.call(request))
            }
            Err(refusal) => {
                if let Some(client) = refusal.client() {
                    record_client(&request, client);
                }
                ResponseFuture::answer(refusal.response(&request))
            }
        }
    }
}

fn record_client<B>(request: &Request<B>, client: &Client) {
    if let Some(progress) = request.extensions().get::<Progress>() {
        progress.set_client(client.name());
    }
}

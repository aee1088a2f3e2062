//! Sends each request to its pool.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use crate::{
    access_log::Progress,
    answer::ResponseFuture,
    clients::Client,
    dialect::{Dialect, ErrorKind, GatewayError},
    model_scope::Found,
    ready::call_ready,
    site::{PoolSite, Site},
};

/// The stacks of all pools. Each request has its own clone of one of them.
#[derive(Debug)]
pub(crate) struct Router<S> {
    site: Arc<Site>,
    stacks: Arc<[S]>,
}

impl<S> Router<S> {
    /// `stack` makes the one of a pool.
    pub(crate) fn new(site: Arc<Site>, stack: impl Fn(&Arc<PoolSite>) -> S) -> Self {
        Self {
            stacks: site.pools().iter().map(stack).collect(),
            site,
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Router<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible> + Clone,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Which stack must be is known from the request only.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let found = extensions.get::<Found>();
        let model = found.and_then(Found::model);
        let Some(index) = self.site.routes().choose(&request, model) else {
            return ResponseFuture::answer(no_pool(&request));
        };
        let name = self.site.pools()[index].name();
        if let Some(progress) = extensions.get::<Progress>() {
            progress.note_pool(name);
        }
        if extensions
            .get()
            .is_some_and(|client: &Client| !client.may_use(name))
        {
            return ResponseFuture::answer(other_key(&request));
        }
        ResponseFuture::inner(call_ready(&mut self.stacks[index].clone(), request))
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self {
            site: Arc::clone(&self.site),
            stacks: Arc::clone(&self.stacks),
        }
    }
}

fn no_pool<ReqBody, ResBody: From<Bytes>>(request: &Request<ReqBody>) -> Response<ResBody> {
    let dialect = Dialect::of(request.uri(), request.headers());
    dialect.response(&GatewayError {
        kind: ErrorKind::NoPool,
        message: "No pool of this gateway takes this host, path and model.".into(),
    })
}

fn other_key<ReqBody, ResBody: From<Bytes>>(request: &Request<ReqBody>) -> Response<ResBody> {
    let dialect = Dialect::of(request.uri(), request.headers());
    dialect.response(&GatewayError {
        kind: ErrorKind::Forbidden,
        message: "This key does not open the pool that the request is for.".into(),
    })
}

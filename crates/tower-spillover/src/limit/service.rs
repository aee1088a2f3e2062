use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::{Permit, ResponseFuture, acquire::Acquire};
use crate::body::GuardedBody;

/// Bounds how many requests are under way at once; see the [module](super).
///
/// A clone of one that is ready is not ready.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit<S> {
    inner: S,
    acquire: Acquire,
}

impl<S> ConcurrencyLimit<S> {
    /// Wraps a service: as many requests at once as the semaphore has permits.
    pub fn new(inner: S, semaphore: Arc<Semaphore>) -> Self {
        Self {
            inner,
            acquire: Acquire::new(semaphore),
        }
    }

    inner_service_accessors!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ConcurrencyLimit<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<GuardedBody<ResBody, Permit>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    /// # Panics
    ///
    /// When the semaphore was closed.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The permit first: what the inner service reserves is then used soon.
        ready!(self.acquire.poll_acquire(cx));
        self.inner.poll_ready(cx)
    }

    /// # Panics
    ///
    /// When the service is not ready.
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let permit = self.acquire.take().expect("called without being ready");
        ResponseFuture::new(self.inner.call(request), permit)
    }
}

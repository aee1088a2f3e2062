use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use spillover_core::{Backend, Pool, Selected};
use tower::{BoxError, util::Oneshot};
use tower_service::Service;

use super::ResponseFuture;

/// Passes each request to the service of its backend; see the [module](super).
pub struct BackendSteer<S> {
    pool: Pool,
    services: Arc<[S]>,
}

impl<S> BackendSteer<S> {
    /// Makes the service of each backend.
    pub fn new(pool: &Pool, make: impl FnMut(&Backend) -> S) -> Self {
        Self {
            pool: pool.clone(),
            services: pool.backends().map(make).collect(),
        }
    }

    /// Makes the service of each backend, where that may fail: an `Endpoint` with certificates of its own.
    ///
    /// # Errors
    ///
    /// The first that `make` fails with.
    pub fn try_new<E>(pool: &Pool, make: impl FnMut(&Backend) -> Result<S, E>) -> Result<Self, E> {
        Ok(Self {
            pool: pool.clone(),
            services: pool.backends().map(make).collect::<Result<_, E>>()?,
        })
    }
}

impl<S, ReqBody> Service<Request<ReqBody>> for BackendSteer<S>
where
    S: Service<Request<ReqBody>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let chosen = match request.extensions().get::<Selected>() {
            Some(selected) if selected.pool().is_same(&self.pool) => {
                self.services.get(selected.index())
            }
            _ => None,
        };
        match chosen {
            Some(service) => ResponseFuture::chosen(Oneshot::new(service.clone(), request)),
            None => ResponseFuture::not_selected(),
        }
    }
}

impl<S> Clone for BackendSteer<S> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            services: Arc::clone(&self.services),
        }
    }
}

impl<S> fmt::Debug for BackendSteer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendSteer")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

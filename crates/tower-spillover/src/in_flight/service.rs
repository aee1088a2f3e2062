use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use spillover_core::Selected;
use tower_service::Service;

use super::{InFlightPlace, ResponseFuture};
use crate::body::GuardedBody;

/// Counts a request as in flight until the body of its answer ends; see the [module](super).
#[derive(Clone, Debug)]
pub struct InFlight<S> {
    inner: S,
}

impl<S> InFlight<S> {
    /// Wraps a service.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }

    inner_service_accessors!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for InFlight<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<GuardedBody<ResBody, InFlightPlace>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let selected = request.extensions().get::<Selected>().cloned();
        let place = selected.map(InFlightPlace::new);
        ResponseFuture::new(self.inner.call(request), place)
    }
}

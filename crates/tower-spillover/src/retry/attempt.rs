use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use super::ReplayBody;

/// Puts the `Tried` that the body knows in the extensions of each attempt: the copy that is kept for another one then needs
/// none of its own.
#[derive(Clone, Debug)]
pub(super) struct Attempt<S> {
    pub(super) inner: S,
}

impl<S, ReqBody> Service<Request<ReplayBody<ReqBody>>> for Attempt<S>
where
    S: Service<Request<ReplayBody<ReqBody>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReplayBody<ReqBody>>) -> Self::Future {
        // In place of one that is there: that of an outer pool counts other backends.
        if let Some(tried) = request.body().tried() {
            request.extensions_mut().insert(tried);
        }
        self.inner.call(request)
    }
}

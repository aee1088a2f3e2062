//! Ends responses that stand still, or take too long as a whole.

mod body;
mod future;

use std::{
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tokio::time::Instant;
use tower::{Layer, Service};
use tower_spillover::Attempts;

pub(crate) use self::body::IdleBody;
use self::{body::End, future::ResponseFuture};
use crate::bounds::Deadline;

/// Bounds the time between two chunks of a response body, and the end of it by the [`Deadline`] of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdleLayer {
    limit: Option<Duration>,
}

impl IdleLayer {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for IdleLayer {
    type Service = Idle<S>;

    fn layer(&self, inner: S) -> Idle<S> {
        Idle {
            inner,
            limit: self.limit,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Idle<S> {
    inner: S,
    limit: Option<Duration>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Idle<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<IdleBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let end = extensions.get().map(|deadline: &Deadline| {
            let is_rest = deadline.is_rest(deadline.at - Instant::now());
            End {
                at: deadline.at,
                late: extensions.get::<Attempts>().filter(|_| is_rest).cloned(),
            }
        });
        ResponseFuture::new(self.inner.call(request), self.limit, end)
    }
}

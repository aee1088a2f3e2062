use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

use super::AttemptLimit;

pin_project! {
    /// The answer of the inner service, or that it took too long.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        // `None` if the attempt is not limited.
        limit: Option<Pin<Box<Limit>>>,
    }
}

pin_project! {
    // Boxed, because many requests do not state a patience.
    struct Limit {
        limit: AttemptLimit,
        #[pin]
        sleep: Sleep,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, limit: Option<AttemptLimit>) -> Self {
        let limit = limit.map(|limit| {
            let sleep = sleep(limit.duration());
            Box::pin(Limit { limit, sleep })
        });
        Self { inner, limit }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(result);
        }
        let Some(limit) = this.limit else {
            return Poll::Pending;
        };
        let held = limit.as_mut().project();
        if held.sleep.poll(cx).is_pending() {
            return Poll::Pending;
        }
        if !held.limit.may_move_on(Instant::now()) {
            *this.limit = None;
            return Poll::Pending;
        }
        let mut response = Response::new(ResBody::default());
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        response.extensions_mut().insert(held.limit.outcome());
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

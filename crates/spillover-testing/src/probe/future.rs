use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Response;

use super::state::State;

/// The response future of a [`Probe`](super::Probe). Dropping it before it ends counts as cancelled.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<ResBody, E> {
    inner: Pin<Box<dyn Future<Output = Result<Response<ResBody>, E>> + Send>>,
    in_flight: InFlight<E>,
}

impl<ResBody, E> ResponseFuture<ResBody, E> {
    pub(super) fn new(
        inner: Pin<Box<dyn Future<Output = Result<Response<ResBody>, E>> + Send>>,
        in_flight: InFlight<E>,
    ) -> Self {
        Self { inner, in_flight }
    }
}

impl<ResBody, E> Future for ResponseFuture<ResBody, E> {
    type Output = Result<Response<ResBody>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let result = ready!(this.inner.as_mut().poll(cx));
        this.in_flight.complete();
        Poll::Ready(result)
    }
}

impl<ResBody, E> fmt::Debug for ResponseFuture<ResBody, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// Counts one call from its start to its end.
pub(super) struct InFlight<E> {
    state: Arc<State<E>>,
    completed: bool,
}

impl<E> InFlight<E> {
    pub(super) fn start(state: Arc<State<E>>) -> Self {
        let mut counts = state.counts();
        counts.calls += 1;
        counts.in_flight += 1;
        drop(counts);
        Self {
            state,
            completed: false,
        }
    }

    fn complete(&mut self) {
        self.completed = true;
        let mut counts = self.state.counts();
        counts.in_flight -= 1;
        counts.completed += 1;
    }
}

impl<E> Drop for InFlight<E> {
    fn drop(&mut self) {
        if !self.completed {
            let mut counts = self.state.counts();
            counts.in_flight -= 1;
            counts.cancelled += 1;
        }
    }
}

use std::{
    mem,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use spillover_core::{Attempts, Strategy, Weighted, layer::AttemptsProtocol};
use tokio::time::Instant;
use tower_service::Service;

use super::{
    Draw, EmptyResponse, ResponseForExhausted, ResponseFuture, ThreadDraw,
    selector::{Selector, after, is_worth_waiting},
};

/// Chooses the backend for each attempt; see the [module](super).
///
/// [`PrioritySelectLayer`](super::PrioritySelectLayer) makes it.
#[derive(Clone, Debug)]
pub struct PrioritySelect<S, D = ThreadDraw, R = EmptyResponse, T = Weighted> {
    inner: S,
    selector: Selector<D, R, T>,
}

impl<S, D, R, T> PrioritySelect<S, D, R, T> {
    pub(super) fn new(inner: S, selector: Selector<D, R, T>) -> Self {
        Self { inner, selector }
    }

    inner_service_accessors!();
}

impl<S, D, R, T, ReqBody, ResBody> Service<Request<ReqBody>> for PrioritySelect<S, D, R, T>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    D: Draw + Clone,
    R: ResponseForExhausted<ResBody> + Clone,
    T: Strategy + Clone + Sync,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, D, R, T, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let now = Instant::now();
        let attempts = request.extensions().get::<Attempts>().cloned();
        let attempts = attempts.unwrap_or_default();
        if let Some(bound) = self.selector.bound() {
            return self.call_or_wait(request, attempts, now, bound);
        }
        let selected = self.selector.select(&request, &attempts, now);
        // After a first attempt, the backend that was left then has closed since: there is nothing else to try.
        let is_first = attempts.count() == 0;
        let selected = selected.or_else(|exhausted| {
            let forward = || self.selector.forward(&request, &attempts, now);
            is_first.then(forward).flatten().ok_or(exhausted)
        });
        match selected {
            Ok(selected) => {
                ResponseFuture::attempt(&mut self.inner, request, selected, attempts, None)
            }
            Err(exhausted) => {
                ResponseFuture::answer(self.selector.reject(request, &attempts, exhausted))
            }
        }
    }
}

impl<S, D, R, T> PrioritySelect<S, D, R, T> {
    /// Sends a request that may wait for a backend for at most this time.
    fn call_or_wait<ReqBody, ResBody>(
        &mut self,
        request: Request<ReqBody>,
        attempts: Attempts,
        now: Instant,
        bound: Duration,
    ) -> ResponseFuture<S, D, R, T, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
        D: Draw + Clone,
        R: ResponseForExhausted<ResBody> + Clone,
        T: Strategy + Clone + Sync,
    {
        let selector = &self.selector;
        if !selector.is_waited_for(&request, &attempts) {
            match selector.select_or_wait(&request, &attempts, now, false) {
                Ok(selected) => {
                    let inner = &mut self.inner;
                    return ResponseFuture::attempt(
                        inner,
                        request,
                        selected,
                        attempts,
                        Some(bound),
                    );
                }
                Err(closed) => {
                    let deadline = attempts.wait_deadline(after(now, bound));
                    if !is_worth_waiting(closed.opening, now, deadline) {
                        let response = selector.reject(request, &attempts, closed.exhausted);
                        return ResponseFuture::answer(response);
                    }
                }
            }
        }
        let deadline = attempts.wait_deadline(after(now, bound));
        // No backend would take a second attempt beside this one either.
        attempts.set_exhausted(true);
        // The ready service waits with the request. The clone that stays behind is not ready.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        ResponseFuture::wait(ready, self.selector.clone(), request, attempts, deadline)
    }
}

use std::{
    mem,
    task::{Context, Poll},
};

use http::{Request, Response};
use spillover_core::{Exhausted, Pool, Scope, Selected, Tried};
use tokio::time::Instant;
use tower_service::Service;

use super::{Draw, EmptyResponse, ResponseForExhausted, ResponseFuture, ThreadDraw, WhenExhausted};

/// Chooses the backend for each attempt; see the [module](super).
#[derive(Clone, Debug)]
pub struct PrioritySelect<S, D = ThreadDraw, R = EmptyResponse> {
    inner: S,
    pool: Pool,
    when_exhausted: WhenExhausted,
    draw: D,
    response: R,
}

impl<S, D, R> PrioritySelect<S, D, R> {
    /// Wraps a service.
    pub fn new(inner: S, pool: Pool, when_exhausted: WhenExhausted, draw: D, response: R) -> Self {
        Self {
            inner,
            pool,
            when_exhausted,
            draw,
            response,
        }
    }

    inner_service_accessors!();

    pub(super) fn select<ReqBody>(
        &self,
        request: &Request<ReqBody>,
        tried: &Tried,
        now: Instant,
    ) -> Result<Selected, Exhausted>
    where
        D: Draw,
    {
        let scope = self.scope_of(request);
        self.pool.select(tried, scope, now, self.draw.draw())
    }

    /// What the limits apply to: what a layer above says, else the deployment in the path, else the whole backend.
    fn scope_of<ReqBody>(&self, request: &Request<ReqBody>) -> Scope {
        let given = request.extensions().get::<Scope>().copied();
        let scope = given
            .or_else(|| Scope::of_path(request.uri().path()))
            .unwrap_or_default();
        if self.pool.forwards_credentials() {
            scope.of_client(request.headers())
        } else {
            scope
        }
    }

    pub(super) fn attempt<ReqBody>(
        &mut self,
        mut request: Request<ReqBody>,
        selected: &Selected,
        tried: &Tried,
    ) -> S::Future
    where
        S: Service<Request<ReqBody>>,
    {
        tried.mark(selected.index());
        tracing::debug!(
            backend = selected.backend().label(),
            attempt = tried.attempts(),
            spill = selected.is_spill(),
            probe = selected.is_probe(),
            "backend selected"
        );
        request.extensions_mut().insert(selected.clone());
        self.inner.call(request)
    }

    pub(super) fn reject<ReqBody, ResBody>(
        &self,
        request: Request<ReqBody>,
        exhausted: Exhausted,
    ) -> Response<ResBody>
    where
        R: ResponseForExhausted<ResBody>,
    {
        let (head, _) = request.into_parts();
        let mut response = self.response.response_for(&exhausted, &head);
        exhausted.write(response.headers_mut());
        response.extensions_mut().insert(exhausted);
        response
    }
}

impl<S, D, R, ReqBody, ResBody> Service<Request<ReqBody>> for PrioritySelect<S, D, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    D: Draw + Clone,
    R: ResponseForExhausted<ResBody> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, D, R, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let now = Instant::now();
        let tried = request.extensions().get::<Tried>().cloned();
        let tried = tried.unwrap_or_default();
        let selected = match self.select(&request, &tried, now) {
            Ok(selected) => selected,
            Err(exhausted) if tried.attempts() > 0 => {
                // The backend that was left at the last answer closed since: there is nothing else to try.
                tried.set_exhausted(true);
                return ResponseFuture::answer(self.reject(request, exhausted));
            }
            Err(exhausted) => match self.when_exhausted {
                WhenExhausted::Forward => self.pool.first(self.scope_of(&request), now),
                WhenExhausted::Wait(bound) if exhausted.reopens_in() <= bound => {
                    // None would take a second attempt beside this one either.
                    tried.set_exhausted(true);
                    // The ready service waits with the request; the clone that stays behind is not ready.
                    let clone = self.clone();
                    let ready = mem::replace(self, clone);
                    let deadline = now.checked_add(bound);
                    let deadline = deadline.unwrap_or(now + exhausted.reopens_in());
                    return ResponseFuture::wait(ready, request, tried, exhausted, deadline);
                }
                WhenExhausted::Wait(_) | WhenExhausted::Reject => {
                    tried.set_exhausted(true);
                    return ResponseFuture::answer(self.reject(request, exhausted));
                }
            },
        };
        let future = self.attempt(request, &selected, &tried);
        ResponseFuture::attempt(future, selected, tried)
    }
}

use std::{
    mem,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use spillover_core::{
    Affinity, Exhausted, Freed, Pool, Query, Scope, Selected, Strategy, Tried, Weighted,
};
use tokio::time::Instant;
use tower_service::Service;

use super::{Draw, EmptyResponse, ResponseForExhausted, ResponseFuture, ThreadDraw, WhenExhausted};

/// Chooses the backend for each attempt; see the [module](super).
#[derive(Clone, Debug)]
pub struct PrioritySelect<S, D = ThreadDraw, R = EmptyResponse, T = Weighted> {
    inner: S,
    pool: Pool,
    when_exhausted: WhenExhausted,
    draw: D,
    response: R,
    strategy: T,
}

impl<S, D, R, T> PrioritySelect<S, D, R, T> {
    /// Wraps a service.
    pub fn new(
        inner: S,
        pool: Pool,
        when_exhausted: WhenExhausted,
        draw: D,
        response: R,
        strategy: T,
    ) -> Self {
        Self {
            inner,
            pool,
            when_exhausted,
            draw,
            response,
            strategy,
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
        T: Strategy,
    {
        let (query, draw) = (self.query(request, tried), self.draw.draw());
        self.pool.select_by(&self.strategy, &query, now, draw)
    }

    /// Where a request goes that finds all of them closed, if it is to go anywhere: not to one that is full.
    fn forward<ReqBody>(
        &self,
        request: &Request<ReqBody>,
        tried: &Tried,
        now: Instant,
    ) -> Option<Selected> {
        match self.when_exhausted {
            WhenExhausted::Forward => self.pool.first(&self.query(request, tried), now),
            _ => None,
        }
    }

    pub(super) fn freed(&self) -> Freed {
        self.pool.freed()
    }

    fn query<'a, ReqBody>(&self, request: &Request<ReqBody>, tried: &'a Tried) -> Query<'a> {
        let affinity = request.extensions().get::<Affinity>().copied();
        let scope = self.scope_of(request);
        Query::new().tried(tried).scope(scope).affinity(affinity)
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
        if selected.is_pinned() {
            // None would take a second attempt beside this one.
            tried.set_exhausted(true);
        }
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

impl<S, D, R, T, ReqBody, ResBody> Service<Request<ReqBody>> for PrioritySelect<S, D, R, T>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    D: Draw + Clone,
    R: ResponseForExhausted<ResBody> + Clone,
    T: Strategy + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, D, R, T, ReqBody, ResBody>;

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
            Err(exhausted) => {
                if let WhenExhausted::Wait(bound) = self.when_exhausted
                    && is_worth_waiting(&exhausted, bound)
                {
                    // None would take a second attempt beside this one either.
                    tried.set_exhausted(true);
                    // The ready service waits with the request; the clone that stays behind is not ready.
                    let clone = self.clone();
                    let ready = mem::replace(self, clone);
                    let deadline = now.checked_add(bound).unwrap_or(now + FOREVER);
                    return ResponseFuture::wait(ready, request, tried, exhausted, deadline);
                }
                let Some(forwarded) = self.forward(&request, &tried, now) else {
                    tried.set_exhausted(true);
                    return ResponseFuture::answer(self.reject(request, exhausted));
                };
                forwarded
            }
        };
        let future = self.attempt(request, &selected, &tried);
        ResponseFuture::attempt(future, selected, tried)
    }
}

/// A place at a full backend may get free at any time.
fn is_worth_waiting(exhausted: &Exhausted, bound: Duration) -> bool {
    exhausted.reopens_in() <= bound || exhausted.may_open_sooner()
}

/// Thirty years: in place of a bound that is too large to be added to the time.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

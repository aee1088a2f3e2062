use std::{
    mem,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use spillover_core::layer::AttemptsProtocol;
use spillover_core::{
    Affinity, Attempts, Exhausted, Opening, Query, Scope, Selected, Strategy, Waiter, Weighted,
};
use tokio::time::Instant;
use tower_service::Service;

use super::{
    Draw, EmptyResponse, PrioritySelectLayer, ResponseForExhausted, ResponseFuture, ThreadDraw,
    WhenExhausted,
};

/// Chooses the backend for each attempt; see the [module](super).
///
/// [`PrioritySelectLayer`] makes it.
#[derive(Clone, Debug)]
pub struct PrioritySelect<S, D = ThreadDraw, R = EmptyResponse, T = Weighted> {
    inner: S,
    layer: PrioritySelectLayer<D, R, T>,
}

impl<S, D, R, T> PrioritySelect<S, D, R, T> {
    pub(super) fn new(inner: S, layer: PrioritySelectLayer<D, R, T>) -> Self {
        Self { inner, layer }
    }

    inner_service_accessors!();

    pub(super) fn select<ReqBody>(
        &self,
        request: &Request<ReqBody>,
        attempts: &Attempts,
        now: Instant,
    ) -> Result<Selected, Exhausted>
    where
        D: Draw,
        T: Strategy + Sync,
    {
        let (query, draw) = (self.query(request, attempts), self.layer.draw.draw());
        self.layer
            .pool
            .select(&query.strategy(&self.layer.strategy), now, draw)
    }

    /// Where a request goes that finds all of them closed, if it is to go anywhere: not to one that is full.
    fn forward<ReqBody>(
        &self,
        request: &Request<ReqBody>,
        attempts: &Attempts,
        now: Instant,
    ) -> Option<Selected> {
        match self.layer.when_exhausted {
            WhenExhausted::Forward => self.layer.pool.first(&self.query(request, attempts), now),
            _ => None,
        }
    }

    /// The same for a request that may wait. A backend that is merely full is waited for before one is asked as a last
    /// resort, unless the time is over.
    pub(super) fn select_or_wait<ReqBody>(
        &self,
        request: &Request<ReqBody>,
        attempts: &Attempts,
        now: Instant,
        is_last_look: bool,
    ) -> Result<Selected, Closed>
    where
        D: Draw,
        T: Strategy + Sync,
    {
        let (query, draw) = (
            self.query(request, attempts).again(),
            self.layer.draw.draw(),
        );
        let query = query.strategy(&self.layer.strategy);
        let select = |query: Query<'_>| self.layer.pool.select(&query, now, draw);
        let exhausted = match select(query.open_only()) {
            Ok(selected) => return Ok(selected),
            Err(exhausted) => exhausted,
        };
        let opening = self.layer.pool.opening(&query, now);
        let is_full = opening.is_some_and(|opening| opening.is_full());
        if is_full && !is_last_look {
            return Err(Closed { exhausted, opening });
        }
        select(query).map_err(|exhausted| Closed { exhausted, opening })
    }

    /// Returns whether others wait that this request would overtake.
    fn is_waited_for<ReqBody>(&self, request: &Request<ReqBody>, attempts: &Attempts) -> bool {
        self.layer
            .pool
            .is_waited_for(&self.query(request, attempts).again())
    }

    pub(super) fn wait<ReqBody>(&self, request: &Request<ReqBody>, attempts: &Attempts) -> Waiter {
        self.layer.pool.wait(&self.query(request, attempts).again())
    }

    /// The time that requests wait for a backend.
    pub(super) fn bound(&self) -> Option<Duration> {
        match self.layer.when_exhausted {
            WhenExhausted::Wait(bound) => Some(bound),
            _ => None,
        }
    }

    fn query<'a, ReqBody>(
        &self,
        request: &'a Request<ReqBody>,
        attempts: &'a Attempts,
    ) -> Query<'a> {
        let affinity = request.extensions().get::<Affinity>().copied();
        let scope = self.scope_of(request);
        let query = Query::new()
            .attempts(attempts)
            .scope(scope)
            .affinity(affinity);
        query.headers(request.headers())
    }

    /// What the limits apply to: what a layer above says, else the deployment in the path, else the whole backend.
    fn scope_of<ReqBody>(&self, request: &Request<ReqBody>) -> Scope {
        let given = request.extensions().get::<Scope>().copied();
        let scope = given
            .or_else(|| Scope::of_path(request.uri().path()))
            .unwrap_or_default();
        if self.layer.pool.forwards_credentials() {
            scope.of_client(request.headers())
        } else {
            scope
        }
    }

    pub(super) fn attempt<ReqBody>(
        &mut self,
        mut request: Request<ReqBody>,
        selected: &Selected,
        attempts: &Attempts,
    ) -> S::Future
    where
        S: Service<Request<ReqBody>>,
    {
        attempts.mark(selected.index());
        if selected.is_pinned() {
            // None would take a second attempt beside this one.
            attempts.set_exhausted(true);
        }
        tracing::debug!(
            backend = selected.backend().label(),
            attempt = attempts.count(),
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
        let mut response = self.layer.response.response_for(&exhausted, &head);
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
        if let Some(bound) = self.bound() {
            return self.call_or_wait(request, attempts, now, bound);
        }
        let selected = match self.select(&request, &attempts, now) {
            Ok(selected) => selected,
            Err(exhausted) if attempts.count() > 0 => {
                // The backend that was left at the last answer closed since: there is nothing else to try.
                attempts.set_exhausted(true);
                return ResponseFuture::answer(self.reject(request, exhausted));
            }
            Err(exhausted) => {
                let Some(forwarded) = self.forward(&request, &attempts, now) else {
                    attempts.set_exhausted(true);
                    return ResponseFuture::answer(self.reject(request, exhausted));
                };
                forwarded
            }
        };
        let future = self.attempt(request, &selected, &attempts);
        ResponseFuture::attempt(future, selected, attempts, None)
    }
}

impl<S, D, R, T> PrioritySelect<S, D, R, T> {
    /// Sends a request that may wait for a backend for so long.
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
        if !self.is_waited_for(&request, &attempts) {
            match self.select_or_wait(&request, &attempts, now, false) {
                Ok(selected) => {
                    let future = self.attempt(request, &selected, &attempts);
                    return ResponseFuture::attempt(future, selected, attempts, Some(bound));
                }
                Err(closed) => {
                    let deadline = attempts.wait_deadline(after(now, bound));
                    if !is_worth_waiting(closed.opening, now, deadline) {
                        attempts.set_exhausted(true);
                        return ResponseFuture::answer(self.reject(request, closed.exhausted));
                    }
                }
            }
        }
        let deadline = attempts.wait_deadline(after(now, bound));
        // None would take a second attempt beside this one either.
        attempts.set_exhausted(true);
        // The ready service waits with the request; the clone that stays behind is not ready.
        let clone = self.clone();
        let ready = mem::replace(self, clone);
        ResponseFuture::wait(ready, request, attempts, deadline)
    }
}

/// No backend would take the request now.
pub(super) struct Closed {
    pub(super) exhausted: Exhausted,
    /// The time until a backend may take the request, if one is left.
    pub(super) opening: Option<Opening>,
}

/// Returns whether a backend opens in time. A place at a full one may get free at any time.
pub(super) fn is_worth_waiting(opening: Option<Opening>, now: Instant, deadline: Instant) -> bool {
    opening.is_some_and(|opening| {
        let opens_in_time = after(now, opening.wait()) <= deadline;
        opens_in_time || opening.is_full() && now < deadline
    })
}

pub(super) fn after(now: Instant, duration: Duration) -> Instant {
    now.checked_add(duration).unwrap_or(now + FOREVER)
}

/// Thirty years: in place of a bound that is too large to be added to the time.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

use std::time::Duration;

use http::{Request, Response};
use spillover_core::{
    Affinity, Attempts, Exhausted, Opening, Pool, Query, Scope, Selected, Strategy, Waiter,
    layer::AttemptsProtocol,
};
use tokio::time::Instant;

use super::{Draw, ResponseForExhausted, WhenExhausted};

/// The choice of a backend for a request, as the layer is set to make it.
#[derive(Clone, Debug)]
pub(crate) struct Selector<D, R, T> {
    pub(crate) pool: Pool,
    pub(crate) when_exhausted: WhenExhausted,
    pub(super) draw: D,
    pub(crate) response: R,
    pub(super) strategy: T,
}

/// The state of a pool in which no backend would take the request now.
pub(super) struct Closed {
    pub(super) exhausted: Exhausted,
    /// The time until a backend may take the request, if one is left.
    pub(super) opening: Option<Opening>,
}

impl<D, R, T> Selector<D, R, T> {
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
        let query = self.query(request, attempts).strategy(&self.strategy);
        self.pool.select(&query, now, self.draw.draw())
    }

    /// Returns the backend for a request that finds all of them closed, if it is to be forwarded all the same. A full backend is
    /// left out.
    pub(super) fn forward<ReqBody>(
        &self,
        request: &Request<ReqBody>,
        attempts: &Attempts,
        now: Instant,
    ) -> Option<Selected> {
        match self.when_exhausted {
            WhenExhausted::Forward => self.pool.first(&self.query(request, attempts), now),
            _ => None,
        }
    }

    /// Selects a backend for a request that may wait.
    ///
    /// A backend that is only full is waited for before another is asked as a last resort, unless this is the last look.
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
        let query = self.query(request, attempts).again();
        let query = query.strategy(&self.strategy);
        let draw = self.draw.draw();
        let exhausted = match self.pool.select(&query.open_only(), now, draw) {
            Ok(selected) => return Ok(selected),
            Err(exhausted) => exhausted,
        };
        let opening = self.pool.opening(&query, now);
        let is_full = opening.is_some_and(|opening| opening.is_full());
        if is_full && !is_last_look {
            return Err(Closed { exhausted, opening });
        }
        let selected = self.pool.select(&query, now, draw);
        selected.map_err(|exhausted| Closed { exhausted, opening })
    }

    /// Returns true if other requests wait that this one would overtake.
    pub(super) fn is_waited_for<ReqBody>(
        &self,
        request: &Request<ReqBody>,
        attempts: &Attempts,
    ) -> bool {
        let query = self.query(request, attempts).again();
        self.pool.is_waited_for(&query)
    }

    pub(super) fn wait<ReqBody>(&self, request: &Request<ReqBody>, attempts: &Attempts) -> Waiter {
        self.pool.wait(&self.query(request, attempts).again())
    }

    /// Returns the time that requests wait for a backend; `None` if they do not wait.
    pub(super) fn bound(&self) -> Option<Duration> {
        match self.when_exhausted {
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
        let query = Query::new().attempts(attempts).affinity(affinity);
        query
            .scope(self.scope_of(request))
            .headers(request.headers())
    }

    /// Returns the scope that a layer outside gave the request, else the deployment in its path, else the whole backend.
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

    /// Answers a request that no backend would take.
    pub(super) fn reject<ReqBody, ResBody>(
        &self,
        request: Request<ReqBody>,
        attempts: &Attempts,
        exhausted: Exhausted,
    ) -> Response<ResBody>
    where
        R: ResponseForExhausted<ResBody>,
    {
        attempts.set_exhausted(true);
        let (head, _) = request.into_parts();
        let mut response = self.response.response_for(&exhausted, &head);
        exhausted.write(response.headers_mut());
        response.extensions_mut().insert(exhausted);
        response
    }
}

/// Marks a request as an attempt at this backend.
pub(super) fn begin_attempt<ReqBody>(
    request: &mut Request<ReqBody>,
    selected: &Selected,
    attempts: &Attempts,
) {
    attempts.mark(selected.index());
    if selected.is_pinned() {
        // No backend would take a second attempt beside this one.
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
}

/// Returns true if a backend opens in time. A full one may have a place at any time.
pub(super) fn is_worth_waiting(opening: Option<Opening>, now: Instant, deadline: Instant) -> bool {
    opening.is_some_and(|opening| {
        let opens_in_time = after(now, opening.wait()) <= deadline;
        opens_in_time || opening.is_full() && now < deadline
    })
}

/// Returns the instant after this time, or in thirty years if the clock does not reach so far.
pub(super) fn after(now: Instant, duration: Duration) -> Instant {
    now.checked_add(duration).unwrap_or(now + FOREVER)
}

const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

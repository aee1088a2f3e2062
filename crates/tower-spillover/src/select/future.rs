use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use spillover_core::{
    Attempts, Class, Exhausted, Outcome, Selected, Strategy, Turn, Waiter,
    layer::{AttemptsProtocol, SelectedProtocol},
};
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::{
    Draw, ResponseForExhausted,
    selector::{Selector, after, begin_attempt, is_worth_waiting},
};
use crate::wait::write_wait;

pin_project! {
    /// The answer of the chosen backend, or of the layer if there is none to choose.
    pub struct ResponseFuture<S, D, R, T, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        kind: Kind<S, D, R, T, ReqBody, ResBody>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, D, R, T, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Attempt {
            #[pin]
            future: S::Future,
            selected: Option<Selected>,
            attempts: Attempts,
            // The time that a request waits for a backend at most; `None` if it does not wait.
            bound: Option<Duration>,
        },
        // Boxed, because few requests wait.
        Wait {
            wait: Option<Box<Wait<S, D, R, T, ReqBody>>>,
        },
        Answer {
            response: Option<Response<ResBody>>,
        },
    }
}

/// A request that waits for a backend.
struct Wait<S, D, R, T, ReqBody> {
    inner: S,
    selector: Selector<D, R, T>,
    request: Request<ReqBody>,
    attempts: Attempts,
    sleep: Pin<Box<Sleep>>,
    deadline: Instant,
    waiter: Waiter,
}

impl<S, D, R, T, ReqBody, ResBody> ResponseFuture<S, D, R, T, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn attempt(
        inner: &mut S,
        request: Request<ReqBody>,
        selected: Selected,
        attempts: Attempts,
        bound: Option<Duration>,
    ) -> Self {
        Self {
            kind: Kind::attempt(inner, request, selected, attempts, bound),
        }
    }

    pub(super) fn answer(response: Response<ResBody>) -> Self {
        Self {
            kind: Kind::Answer {
                response: Some(response),
            },
        }
    }

    pub(super) fn wait(
        inner: S,
        selector: Selector<D, R, T>,
        request: Request<ReqBody>,
        attempts: Attempts,
        deadline: Instant,
    ) -> Self {
        // A number also in JSON, where the result of `as_millis` would be text.
        let now = Instant::now();
        let bound_ms = (deadline - now).as_millis() as u64;
        // The client waits as well.
        attempts.begun(now);
        tracing::debug!(bound_ms, "waiting for a backend");
        let wait = Wait {
            waiter: selector.wait(&request, &attempts),
            inner,
            selector,
            request,
            attempts,
            sleep: Box::pin(sleep_until(deadline)),
            deadline,
        };
        Self {
            kind: Kind::Wait {
                wait: Some(Box::new(wait)),
            },
        }
    }
}

impl<S, D, R, T, ReqBody, ResBody> Kind<S, D, R, T, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn attempt(
        inner: &mut S,
        mut request: Request<ReqBody>,
        selected: Selected,
        attempts: Attempts,
        bound: Option<Duration>,
    ) -> Self {
        begin_attempt(&mut request, &selected, &attempts);
        Self::Attempt {
            future: inner.call(request),
            selected: Some(selected),
            attempts,
            bound,
        }
    }
}

impl<S, D, R, T, ReqBody, ResBody> Future for ResponseFuture<S, D, R, T, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    D: Draw,
    R: ResponseForExhausted<ResBody>,
    T: Strategy + Sync,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let next = match kind.as_mut().project() {
                KindProj::Attempt {
                    future,
                    selected,
                    attempts,
                    bound,
                } => {
                    let mut result = ready!(future.poll(cx));
                    let selected = selected.take().expect("polled after completion");
                    describe_answer(&mut result, selected, attempts, *bound);
                    return Poll::Ready(result);
                }
                KindProj::Answer { response } => {
                    return Poll::Ready(Ok(response.take().expect("polled after completion")));
                }
                KindProj::Wait { wait } => {
                    let waiting = wait.as_mut().expect("polled after completion");
                    ready!(waiting.poll_turn(cx));
                    let Some(choice) = waiting.select(Instant::now()) else {
                        continue;
                    };
                    wait.take().expect("the request waits").end(choice)
                }
            };
            kind.set(next);
        }
    }
}

impl<S, D, R, T, ReqBody> Wait<S, D, R, T, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    /// Waits until it is time to select a backend.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiter.poll_called(cx).is_ready() {
            return Poll::Ready(());
        }
        self.sleep.as_mut().poll(cx)
    }

    /// Selects a backend; `None` if the request is to wait on.
    fn select(&mut self, now: Instant) -> Option<Result<Selected, Exhausted>>
    where
        D: Draw,
        T: Strategy + Sync,
    {
        let is_late = now >= self.deadline;
        if !is_late {
            match self.waiter.turn(now) {
                Turn::Now => {}
                Turn::At(instant) => return self.wait_until(instant),
                _ => return self.wait_until(self.deadline),
            }
        }
        let (selector, request) = (&self.selector, &self.request);
        let closed = match selector.select_or_wait(request, &self.attempts, now, is_late) {
            Ok(selected) => return Some(Ok(selected)),
            Err(closed) => closed,
        };
        let Some(opening) = closed.opening.filter(|_| !is_late) else {
            return Some(Err(closed.exhausted));
        };
        if !is_worth_waiting(Some(opening), now, self.deadline) {
            return Some(Err(closed.exhausted));
        }
        self.waiter.missed(now);
        self.wait_until(after(now, opening.wait()))
    }

    fn wait_until<U>(&mut self, instant: Instant) -> Option<U> {
        self.sleep.as_mut().reset(instant.min(self.deadline));
        None
    }

    fn end<ResBody>(
        mut self,
        choice: Result<Selected, Exhausted>,
    ) -> Kind<S, D, R, T, ReqBody, ResBody>
    where
        R: ResponseForExhausted<ResBody>,
    {
        match choice {
            Ok(selected) => {
                // If the request is refused, it waits on at its place.
                self.waiter.keep_place(&self.attempts);
                self.waiter.found(&selected, Instant::now());
                let bound = self.selector.bound();
                Kind::attempt(
                    &mut self.inner,
                    self.request,
                    selected,
                    self.attempts,
                    bound,
                )
            }
            Err(exhausted) => {
                let response = self
                    .selector
                    .reject(self.request, &self.attempts, exhausted);
                Kind::Answer {
                    response: Some(response),
                }
            }
        }
    }
}

/// Adds to an answer its backend, and to a refusal the time until the pool opens if no other backend is left.
fn describe_answer<ResBody, E>(
    result: &mut Result<Response<ResBody>, E>,
    selected: Selected,
    attempts: &Attempts,
    bound: Option<Duration>,
) {
    let is_refusal = match result {
        Ok(response) => is_refusal(response),
        Err(_) => true,
    };
    if is_refusal {
        let now = Instant::now();
        let may_wait = bound.is_some_and(|bound| may_wait(result, &selected, attempts, bound, now));
        let is_last = !may_wait && !selected.has_candidate(attempts, now);
        attempts.set_exhausted(is_last);
        if may_wait {
            // The refusal may be kept while the request waits for this place.
            selected.release();
        }
        if let Ok(response) = result {
            let outcome = response.extensions().get::<Outcome>();
            let class = outcome.map(|outcome| outcome.class());
            // A request that was not processed was not refused either.
            if let Some(class) = class.filter(|class| *class != Class::Unprocessed) {
                attempts.record_refusal(class);
            }
            let exhausted = selected.exhausted(now);
            write_wait(response, &exhausted);
            if is_last {
                response.extensions_mut().insert(exhausted);
            }
        }
    } else if attempts.is_exhausted() && !selected.is_pinned() {
        // So it was while this one waited, or for a hedge beside it. A layer outside may take the answer for a refusal.
        attempts.set_exhausted(false);
    }
    if let Ok(response) = result {
        response.extensions_mut().insert(selected);
    }
}

/// Returns whether a backend opens in time for a request that was refused, and may wait for so long in all. The backend may be
/// one that refused the request because of a limit.
fn may_wait<ResBody, E>(
    result: &Result<Response<ResBody>, E>,
    selected: &Selected,
    attempts: &Attempts,
    bound: Duration,
    now: Instant,
) -> bool {
    let response = result.as_ref().ok();
    let outcome = response.and_then(|response| response.extensions().get::<Outcome>());
    if outcome.is_some_and(|outcome| outcome.class() == Class::Throttled) {
        attempts.mark_limited(selected.index());
    }
    let deadline = attempts.wait_deadline(after(now, bound));
    now < deadline && is_worth_waiting(selected.opening(attempts, now), now, deadline)
}

fn is_refusal<ResBody>(response: &Response<ResBody>) -> bool {
    match response.extensions().get::<Outcome>() {
        Some(outcome) => outcome.class().is_refusal(),
        None => {
            let status = response.status();
            status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
        }
    }
}

impl<S, D, R, T, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, D, R, T, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use spillover_core::{Exhausted, Freed, Outcome, Selected, Strategy, Tried};
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::{Draw, PrioritySelect, ResponseForExhausted};
use crate::wait::write_wait;

pin_project! {
    /// The answer of the chosen backend, or that there is none to choose.
    pub struct ResponseFuture<S, D, R, T, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        kind: Kind<S::Future, PrioritySelect<S, D, R, T>, ReqBody, ResBody>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, Select, ReqBody, ResBody> {
        Attempt {
            #[pin]
            future: F,
            selected: Option<Selected>,
            tried: Tried,
        },
        Wait {
            wait: Option<Box<Wait<Select, ReqBody>>>,
        },
        Answer {
            response: Option<Response<ResBody>>,
        },
    }
}

struct Wait<Select, ReqBody> {
    select: Select,
    request: Request<ReqBody>,
    tried: Tried,
    sleep: Pin<Box<Sleep>>,
    deadline: Instant,
    freed: Freed,
    has_looked: bool,
}

impl<S, D, R, T, ReqBody, ResBody> ResponseFuture<S, D, R, T, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn attempt(future: S::Future, selected: Selected, tried: Tried) -> Self {
        Self {
            kind: Kind::Attempt {
                future,
                selected: Some(selected),
                tried,
            },
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
        select: PrioritySelect<S, D, R, T>,
        request: Request<ReqBody>,
        tried: Tried,
        exhausted: Exhausted,
        deadline: Instant,
    ) -> Self {
        // A number also in JSON, where what `as_millis` returns would be text.
        let wait_ms = exhausted.reopens_in().as_millis() as u64;
        tracing::debug!(wait_ms, "all closed");
        let until = Instant::now() + exhausted.reopens_in();
        let wait = Wait {
            freed: select.freed(),
            select,
            request,
            tried,
            sleep: Box::pin(sleep_until(until.min(deadline))),
            deadline,
            has_looked: false,
        };
        Self {
            kind: Kind::Wait {
                wait: Some(Box::new(wait)),
            },
        }
    }
}

impl<S, D, R, T, ReqBody, ResBody> Future for ResponseFuture<S, D, R, T, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    D: Draw,
    R: ResponseForExhausted<ResBody>,
    T: Strategy,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let next = match kind.as_mut().project() {
                KindProj::Attempt {
                    future,
                    selected,
                    tried,
                } => {
                    let mut result = ready!(future.poll(cx));
                    let selected = selected.take().expect("polled after completion");
                    note_answer(&mut result, selected, tried);
                    return Poll::Ready(result);
                }
                KindProj::Answer { response } => {
                    return Poll::Ready(Ok(response.take().expect("polled after completion")));
                }
                KindProj::Wait { wait } => {
                    let waiting = wait.as_mut().expect("polled after completion");
                    ready!(waiting.poll_turn(cx));
                    let Some(choice) = waiting.look(Instant::now()) else {
                        continue;
                    };
                    wait.take().expect("it was there").end(choice)
                }
            };
            kind.set(next);
        }
    }
}

impl<S, D, R, T, ReqBody> Wait<PrioritySelect<S, D, R, T>, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    /// Ready when it is time to look for a backend.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_freed = self.freed.poll_freed(cx).is_ready();
        // A place may have got free between the choice that failed and the entry in the queue.
        let is_first = !mem::replace(&mut self.has_looked, true);
        if is_freed || is_first {
            return Poll::Ready(());
        }
        self.sleep.as_mut().poll(cx)
    }

    /// What comes of another choice; `None` when it is to wait on.
    fn look(&mut self, now: Instant) -> Option<Result<Selected, Exhausted>>
    where
        D: Draw,
        T: Strategy,
    {
        let choice = self.select.select(&self.request, &self.tried, now);
        self.freed.pass_on(choice.as_ref().ok(), now);
        let Err(exhausted) = &choice else {
            return Some(choice);
        };
        let until = now + exhausted.reopens_in();
        let may_open_in_time = exhausted.may_open_sooner() && now < self.deadline;
        // Once an attempt was made there is nothing to wait for, as when it comes to `call`.
        if self.tried.attempts() > 0 || until > self.deadline && !may_open_in_time {
            return Some(choice);
        }
        self.sleep.as_mut().reset(until.min(self.deadline));
        None
    }

    fn end<ResBody>(
        self,
        choice: Result<Selected, Exhausted>,
    ) -> Kind<S::Future, PrioritySelect<S, D, R, T>, ReqBody, ResBody>
    where
        R: ResponseForExhausted<ResBody>,
    {
        let Self {
            mut select,
            request,
            tried,
            ..
        } = self;
        match choice {
            Ok(selected) => Kind::Attempt {
                future: select.attempt(request, &selected, &tried),
                selected: Some(selected),
                tried,
            },
            Err(exhausted) => {
                tried.set_exhausted(true);
                Kind::Answer {
                    response: Some(select.reject(request, exhausted)),
                }
            }
        }
    }
}

/// Adds to an answer who gave it, and, if it is a refusal, whether another backend is left and when the pool opens.
fn note_answer<ResBody, E>(
    result: &mut Result<Response<ResBody>, E>,
    selected: Selected,
    tried: &Tried,
) {
    let is_refusal = match result {
        Ok(response) => is_refusal(response),
        Err(_) => true,
    };
    if is_refusal {
        let now = Instant::now();
        let is_last = !selected.has_candidate(tried, now);
        tried.set_exhausted(is_last);
        if let Ok(response) = result {
            if let Some(outcome) = response.extensions().get::<Outcome>() {
                tried.record_refusal(outcome.class());
            }
            let exhausted = selected.exhausted(now);
            write_wait(response, &exhausted);
            if is_last {
                response.extensions_mut().insert(exhausted);
            }
        }
    } else if tried.is_exhausted() && !selected.is_pinned() {
        // So it was while this one waited, or for a hedge beside it. A layer outside may take the answer for a refusal.
        tried.set_exhausted(false);
    }
    if let Ok(response) = result {
        response.extensions_mut().insert(selected);
    }
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

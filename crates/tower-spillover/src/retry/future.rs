use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use spillover_core::{Classify, Tried};
use tower_service::Service;

use super::{ReplayBody, again::Again, best::Best, late::LateReports};

pin_project! {
    /// The answer of the last attempt.
    pub struct ResponseFuture<S, C, ReqBody>
    where
        S: Service<Request<ReplayBody<ReqBody>>>,
    {
        tried: Tried,
        // `None` when the attempt under way is the last.
        again: Option<Again<S, C, ReqBody>>,
        // Boxed, because most requests are refused nowhere.
        best: Option<Box<Best<S, C, S::Response>>>,
        // Boxed, because few refusals are late.
        late: Option<Box<LateReports>>,
        #[pin]
        state: State<S, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Called {
            #[pin]
            future: F,
        },
        Unready {
            service: S,
        },
    }
}

impl<S, C, ReqBody> ResponseFuture<S, C, ReqBody>
where
    S: Service<Request<ReplayBody<ReqBody>>>,
{
    pub(super) fn new(
        future: S::Future,
        tried: Tried,
        again: Option<Again<S, C, ReqBody>>,
    ) -> Self {
        Self {
            tried,
            again,
            best: None,
            late: None,
            state: State::Called { future },
        }
    }
}

impl<S, C, ReqBody, ResBody> Future for ResponseFuture<S, C, ReqBody>
where
    S: Service<Request<ReplayBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    C: Classify<S::Error>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Layers inside have to know that no attempt follows, such as one that would give up a slow backend.
        if this.again.as_ref().is_some_and(Again::is_late) {
            this.tried.set_last();
        }
        if let Some(late) = this.late {
            late.poll_read(cx);
        }
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Called { future } => {
                    let mut result = ready!(future.poll(cx));
                    let next = this.again.as_mut().and_then(|again| {
                        let service = again.after(&result, this.tried)?;
                        Some((service, &again.spare))
                    });
                    let Some((service, spare)) = next else {
                        if let Some(best) = this.best.take() {
                            result = best.or(result);
                        }
                        note_attempts(&mut result, this.tried);
                        return Poll::Ready(result);
                    };
                    // A refusal whose body is late is not kept as the answer: the client would wait for the body.
                    let late = result.as_ref().ok().and_then(|it| it.extensions().get());
                    match late.cloned() {
                        Some(late) => {
                            let reports = this.late.get_or_insert_default();
                            reports.push(late);
                            reports.poll_read(cx);
                        }
                        None => Best::keep(this.best, spare, result),
                    }
                    State::Unready { service }
                }
                StateProj::Unready { service } => {
                    ready!(service.poll_ready(cx))?;
                    let again = this.again.take().expect("it was due");
                    let (request, again) = again.next(this.tried);
                    *this.again = again;
                    State::Called {
                        future: service.call(request),
                    }
                }
            };
            this.state.set(next);
        }
    }
}

/// Adds to an answer what the request has been through, unless that is the one attempt which most answers need.
fn note_attempts<ResBody, E>(result: &mut Result<Response<ResBody>, E>, tried: &Tried) {
    if let Ok(response) = result
        && (tried.attempts() != 1 || tried.is_request_failed())
    {
        response.extensions_mut().insert(tried.clone());
    }
}

impl<S, C, ReqBody> fmt::Debug for ResponseFuture<S, C, ReqBody>
where
    S: Service<Request<ReplayBody<ReqBody>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use spillover_core::{
    Attempts, Class, Classify, Selected, layer::AttemptsProtocol, layer::LateReport,
};
use tokio::time::Instant;
use tower_service::Service;

use super::{
    ReplayBody,
    state::{RetryState, Template},
};
use crate::{class::class_of, wait::write_wait};

pin_project! {
    /// The answer of the last attempt, or the refusal that helps the client most.
    pub struct ResponseFuture<S, C, ReqBody>
    where
        S: Service<Request<ReplayBody<ReqBody>>>,
    {
        attempts: Attempts,
        // `None` if the attempt in flight is the last.
        state: Option<RetryState<S, C, ReqBody>>,
        // Boxed, because most requests are never refused.
        refused: Option<Box<Refused<S, C, S::Response>>>,
        #[pin]
        attempt: Attempt<S, S::Future>,
    }
}

/// The refusals that one request got so far.
struct Refused<S, C, R> {
    template: Arc<Template<S, C>>,
    /// The one that helps the client most.
    best: Option<(Class, R)>,
    /// The refusals from which the request moved on before their bodies had come.
    late: Vec<LateReport>,
}

pin_project! {
    #[project = AttemptProj]
    enum Attempt<S, F> {
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
        attempts: Attempts,
        state: Option<RetryState<S, C, ReqBody>>,
    ) -> Self {
        Self {
            attempts,
            state,
            refused: None,
            attempt: Attempt::Called { future },
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
        // Inner layers have to know that no attempt follows. For example one that limits the time of slow backends.
        if this.state.as_ref().is_some_and(RetryState::is_late) {
            this.attempts.set_last();
        }
        if let Some(refused) = this.refused {
            refused.poll_late(cx);
        }
        loop {
            let next = match this.attempt.as_mut().project() {
                AttemptProj::Called { future } => {
                    let mut result = ready!(future.poll(cx));
                    let state = this.state.as_mut();
                    let next = state.and_then(|state| {
                        let service = state.service_after(&result, this.attempts)?;
                        Some((service, &state.template))
                    });
                    let Some((service, template)) = next else {
                        if let Some(refused) = this.refused.take() {
                            result = refused.best_or(result);
                        }
                        insert_attempts(&mut result, this.attempts);
                        return Poll::Ready(result);
                    };
                    let refused = this.refused.get_or_insert_with(|| Refused::new(template));
                    refused.add(result, cx);
                    Attempt::Unready { service }
                }
                AttemptProj::Unready { service } => {
                    ready!(service.poll_ready(cx))?;
                    let state = this.state.take().expect("another attempt was due");
                    let (request, state) = state.next_request(this.attempts);
                    *this.state = state;
                    Attempt::Called {
                        future: service.call(request),
                    }
                }
            };
            this.attempt.set(next);
        }
    }
}

/// Adds the attempts to an answer, unless there was just the one that most requests need.
fn insert_attempts<ResBody, E>(result: &mut Result<Response<ResBody>, E>, attempts: &Attempts) {
    if let Ok(response) = result
        && (attempts.count() != 1 || attempts.is_request_failed())
    {
        response.extensions_mut().insert(attempts.clone());
    }
}

impl<S, C, ResBody> Refused<S, C, Response<ResBody>> {
    fn new(template: &Arc<Template<S, C>>) -> Box<Self> {
        Box::new(Self {
            template: Arc::clone(template),
            best: None,
            late: Vec::new(),
        })
    }

    /// Keeps a refusal if it is better than the earlier ones. The later one of equals is better.
    ///
    /// An error is not kept, nor an answer to a request that was not processed, nor a refusal whose body is late: the client
    /// would wait for that. A refusal that is kept no longer counts as in flight at its backend.
    fn add<E>(&mut self, result: Result<Response<ResBody>, E>, cx: &mut Context<'_>)
    where
        C: Classify<E>,
    {
        let (class, _) = class_of(&result, &self.template.policy.classify);
        let Ok(response) = result else {
            return;
        };
        if let Some(late) = response.extensions().get::<LateReport>() {
            self.late.push(late.clone());
            self.poll_late(cx);
            return;
        }
        let best = self.best.as_ref().map(|(class, _)| rank(*class));
        if class != Class::Unprocessed && best.is_none_or(|best| rank(class) >= best) {
            if let Some(selected) = response.extensions().get::<Selected>() {
                selected.release();
            }
            self.best = Some((class, response));
        }
    }

    /// Returns the last answer, or an earlier refusal if that helps the client more.
    fn best_or<E>(self, last: Result<Response<ResBody>, E>) -> Result<Response<ResBody>, E>
    where
        C: Classify<E>,
    {
        let (class, may_retry) = class_of(&last, &self.template.policy.classify);
        let is_final = !may_retry || !class.is_refusal();
        let best = self
            .best
            .filter(|(best, _)| !is_final && rank(class) < rank(*best));
        let Some((_, mut response)) = best else {
            return last;
        };
        if let Some(selected) = response.extensions().get::<Selected>() {
            let exhausted = selected.exhausted(Instant::now());
            write_wait(&mut response, &exhausted);
            response.extensions_mut().insert(exhausted);
        }
        Ok(response)
    }

    /// Reads late bodies on, beside the attempt under way.
    fn poll_late(&mut self, cx: &mut Context<'_>) {
        self.late.retain(|late| late.poll_read(cx).is_pending());
    }
}

/// Returns how much a refusal helps the client.
///
/// A refusal that ends by itself comes first, then a failure, then a refusal of this one request, then one about the account at
/// the backend, which does not concern the client.
fn rank(class: Class) -> u8 {
    match class {
        Class::Throttled => 5,
        Class::Capacity => 4,
        Class::Failing | Class::Late => 3,
        Class::TooLarge | Class::Declined => 2,
        Class::Quota => 1,
        _ => 0,
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

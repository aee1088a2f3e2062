use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use spillover_core::{Answer, Class, Classify, Cooldowns, Outcome};

use super::{Attempt, amendment::expect_body};
use crate::{body::GuardedBody, connection::is_lost, report::report_of};

pin_project! {
    /// The answer of the inner service, recorded.
    #[derive(Debug)]
    pub struct ResponseFuture<F, C> {
        #[pin]
        inner: F,
        attempt: Option<Attempt>,
        classify: C,
        cooldowns: Cooldowns,
    }
}

impl<F, C> ResponseFuture<F, C> {
    pub(super) fn new(
        inner: F,
        attempt: Option<Attempt>,
        classify: C,
        cooldowns: Cooldowns,
    ) -> Self {
        Self {
            inner,
            attempt,
            classify,
            cooldowns,
        }
    }
}

/// Returns true if a layer inside gave the attempt up, which it says by an [`Outcome`].
fn is_late<ResBody, E>(result: &Result<Response<ResBody>, E>) -> bool {
    result.as_ref().is_ok_and(|response| {
        let outcome = || response.extensions().get::<Outcome>();
        response.status() == StatusCode::GATEWAY_TIMEOUT
            && outcome().is_some_and(|outcome| outcome.class() == Class::Late)
    })
}

impl<F, C, ResBody, E> ResponseFuture<F, C>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    C: Classify<E>,
    E: 'static,
{
    /// Records the answer, and returns a response whose body `hold` makes: it holds the attempt until its end.
    pub(crate) fn poll_recorded<B>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        hold: impl FnOnce(ResBody, Option<Attempt>) -> B,
    ) -> Poll<Result<Response<B>, E>> {
        let this = self.project();
        let mut result = ready!(this.inner.poll(cx));
        // A future that failed and is kept ends its attempt as well.
        let mut attempt = this.attempt.take();
        if let Some(attempt) = &mut attempt {
            record_answer(&mut result, attempt, this.classify, *this.cooldowns);
        }
        Poll::Ready(result.map(|response| response.map(|body| hold(body, attempt))))
    }
}

impl<F, C, ResBody, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    C: Classify<E>,
    E: 'static,
    ResBody: Body,
{
    type Output = Result<Response<GuardedBody<ResBody, Attempt>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_recorded(cx, GuardedBody::new)
    }
}

/// Records what an answer says about its backend, and adds the outcome to the response.
fn record_answer<C, ResBody, E>(
    result: &mut Result<Response<ResBody>, E>,
    attempt: &mut Attempt,
    classify: &C,
    cooldowns: Cooldowns,
) where
    C: Classify<E>,
    E: 'static,
{
    let report = result.as_ref().ok().and_then(report_of);
    let backend = Some(attempt.backend());
    let answer = match &*result {
        Ok(response) => Answer::reported(response, report.as_deref(), backend),
        Err(error) => Answer::error(error, backend),
    };
    let answer = answer.unprocessed(is_lost(result, report.is_some()));
    let class = match is_late(result) {
        true => Class::Late,
        false => attempt.class(classify.classify(&answer)),
    };
    let is_final = class.is_refusal() && !classify.may_retry(&answer);
    let headers = result.as_ref().ok().map(Response::headers);
    let mut outcome = attempt.record(class, headers, report.as_deref(), &cooldowns);
    if class.is_refusal()
        && let (Some(report), Ok(response)) = (report, &*result)
    {
        expect_body(response, attempt.selected(), &report, &outcome, cooldowns);
    }
    if is_final {
        outcome = outcome.without_retry();
    }
    if let Ok(response) = result {
        response.extensions_mut().insert(outcome);
    }
}

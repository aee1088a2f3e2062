use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;
use spillover_core::{Answer, Class, Classify, Cooldowns, Outcome};

use super::{amendment::expect_body, track::Track};
use crate::{connection::is_lost, report::report_of};

pin_project! {
    /// The answer of the inner service, recorded.
    #[derive(Debug)]
    pub struct ResponseFuture<F, C> {
        #[pin]
        inner: F,
        track: Option<Track>,
        classify: C,
        cooldowns: Cooldowns,
    }
}

impl<F, C> ResponseFuture<F, C> {
    pub(super) fn new(inner: F, track: Option<Track>, classify: C, cooldowns: Cooldowns) -> Self {
        Self {
            inner,
            track,
            classify,
            cooldowns,
        }
    }
}

/// Returns whether a layer inside gave the attempt up: it says so by an [`Outcome`].
fn is_late<ResBody, E>(result: &Result<Response<ResBody>, E>) -> bool {
    result.as_ref().is_ok_and(|response| {
        let outcome = || response.extensions().get::<Outcome>();
        response.status() == StatusCode::GATEWAY_TIMEOUT
            && outcome().is_some_and(|outcome| outcome.class() == Class::Late)
    })
}

impl<F, C, ResBody, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    C: Classify<E>,
    E: 'static,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut result = ready!(this.inner.poll(cx));
        let Some(track) = this.track.take() else {
            return Poll::Ready(result);
        };

        let report = result.as_ref().ok().and_then(report_of);
        let answer = match &result {
            Ok(response) => Answer::reported(response, report.as_deref(), Some(track.backend())),
            Err(error) => Answer::error(error, Some(track.backend())),
        };
        let answer = answer.unprocessed(is_lost(&result, report.is_some()));
        let class = if is_late(&result) {
            Class::Late
        } else {
            track.class(this.classify.classify(&answer))
        };
        let is_final = class.is_refusal() && !this.classify.may_retry(&answer);
        let headers = result.as_ref().ok().map(Response::headers);
        let selected = class.is_refusal().then(|| track.selected().clone());
        let mut outcome = track.end(class, headers, report.as_deref(), this.cooldowns);
        if let (Some(selected), Some(report), Ok(response)) = (selected, report, &result) {
            expect_body(response, selected, &report, &outcome, *this.cooldowns);
        }
        if is_final {
            outcome = outcome.without_retry();
        }
        if let Ok(response) = &mut result {
            response.extensions_mut().insert(outcome);
        }
        Poll::Ready(result)
    }
}

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use spillover_hint::Report;
use tokio::time::Instant;

use super::{
    attempt::Attempt,
    body::PeekedBody,
    form::Form,
    hold::{Hold, Limits, Reading},
    refusal::ReadRefusal,
};
use crate::{coding::Coding, fields::GRPC_STATUS, report::report_of_head};

pin_project! {
    /// The response of the inner service, as soon as it is known how a stream begins or what a refusal means.
    pub struct ResponseFuture<F, ResBody>
    where
        ResBody: Body,
    {
        #[pin]
        kind: Kind<F, ResBody>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, ResBody>
    where
        ResBody: Body,
    {
        Call {
            #[pin]
            future: F,
            // `None` if streams pass through.
            limits: Option<Limits>,
            reads_json: bool,
            reads_refusals: bool,
            attempt: Attempt,
        },
        // Boxed, because the first content of many responses comes with their head.
        Hold {
            hold: Pin<Box<Hold<ResBody>>>,
        },
        // Boxed, because most responses are no refusals.
        Refusal {
            read: Pin<Box<ReadRefusal<ResBody>>>,
        },
    }
}

impl<F, ResBody: Body> ResponseFuture<F, ResBody> {
    pub(super) fn new(
        future: F,
        limits: Option<Limits>,
        reads_json: bool,
        reads_refusals: bool,
        attempt: Attempt,
    ) -> Self {
        Self {
            kind: Kind::Call {
                future,
                limits,
                reads_json,
                reads_refusals,
                attempt,
            },
        }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Body<Error: Send> + Send + Unpin + 'static,
{
    type Output = Result<Response<PeekedBody<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let next = match kind.as_mut().project() {
                KindProj::Call {
                    future,
                    limits,
                    reads_json,
                    reads_refusals,
                    attempt,
                } => {
                    let mut response = ready!(future.poll(cx))?;
                    let limits = limits.filter(|_| response.status().is_success());
                    if let Some(limits) = limits
                        && let Some((form, coding)) = stream_in_doubt(&mut response, *reads_json)
                    {
                        let attempt = mem::take(attempt);
                        let mut reading = Reading::new(response, form, coding, limits, attempt);
                        if let Poll::Ready(response) = reading.poll(cx) {
                            return Poll::Ready(Ok(response));
                        }
                        Kind::Hold {
                            hold: Box::pin(Hold::new(reading)),
                        }
                    } else if *reads_refusals
                        && limits.is_none()
                        && let Some(report) = refusal_in_doubt(&mut response)
                    {
                        let moves_on =
                            report.refusal().cools() && attempt.will_move_on(Instant::now());
                        let read = ReadRefusal::new(response, report, moves_on);
                        Kind::Refusal {
                            read: Box::pin(read),
                        }
                    } else {
                        return Poll::Ready(Ok(response.map(PeekedBody::untouched)));
                    }
                }
                KindProj::Hold { hold } => return hold.as_mut().poll(cx).map(Ok),
                KindProj::Refusal { read } => return read.as_mut().poll(cx).map(Ok),
            };
            kind.set(next);
        }
    }
}

/// Returns the form of a stream that may begin with an error, and the coding that it is in.
///
/// A gRPC response without a body says in its head how the call went. The head is reported in the extensions.
fn stream_in_doubt<B: Body>(
    response: &mut Response<B>,
    reads_json: bool,
) -> Option<(Form, Option<Coding>)> {
    let (form, coding) = Form::of_response(response)?;
    if form == Form::Json && !reads_json {
        return None;
    }
    if form == Form::Grpc && response.headers().contains_key(GRPC_STATUS) {
        if let Some(report) = Report::from_head(response.status(), response.headers()) {
            response.extensions_mut().insert(report);
        }
        return None;
    }
    (!response.body().is_end_stream()).then_some((form, coding))
}

/// Returns the report on the head of a refusal whose body has to be read. Any other report on a refusal goes into the extensions.
fn refusal_in_doubt<B>(response: &mut Response<B>) -> Option<Report> {
    let status = response.status();
    // A gRPC response that is an error in its head, without an error status, has no body.
    let is_error = status.is_client_error() || status.is_server_error();
    // A layer inside may have read more than the head.
    if !is_error || response.extensions().get::<Report>().is_some() {
        return None;
    }
    let report = report_of_head(response)?;
    if report.needs_body() {
        return Some(report);
    }
    response.extensions_mut().insert(report);
    None
}

impl<F, ResBody: Body> fmt::Debug for ResponseFuture<F, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

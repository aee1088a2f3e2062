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
    attempt::Attempt, body::PeekedBody, form::Form, hold::Hold, layer::Limits, refusal::ReadRefusal,
};
use crate::{fields::GRPC_STATUS, report::report_of_head};

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
            reads_refusals: bool,
            attempt: Attempt,
        },
        // Boxed, because many responses are no streams.
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
        reads_refusals: bool,
        attempt: Attempt,
    ) -> Self {
        Self {
            kind: Kind::Call {
                future,
                limits,
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
                    reads_refusals,
                    attempt,
                } => {
                    let response = ready!(future.poll(cx))?;
                    let attempt = mem::take(attempt);
                    match *limits {
                        Some(limits) if response.status().is_success() => {
                            peek_into_stream(response, limits, attempt)
                        }
                        _ if *reads_refusals => read_refusal(response, &attempt),
                        _ => Err(response.map(PeekedBody::untouched)),
                    }
                }
                KindProj::Hold { hold } => return hold.as_mut().poll(cx).map(Ok),
                KindProj::Refusal { read } => return read.as_mut().poll(cx).map(Ok),
            };
            match next {
                Ok(next) => kind.set(next),
                Err(response) => return Poll::Ready(Ok(response)),
            }
        }
    }
}

/// Begins to hold a stream. Returns any other response as an error: it is not looked into.
fn peek_into_stream<F, B: Body>(
    mut response: Response<B>,
    limits: Limits,
    attempt: Attempt,
) -> Result<Kind<F, B>, Response<PeekedBody<B>>> {
    let form = Form::of_response(&response);
    match form {
        // A gRPC response that has in its head how it went.
        Some((Form::Grpc, _)) if response.headers().contains_key(GRPC_STATUS) => {
            if let Some(report) = Report::from_head(response.status(), response.headers()) {
                response.extensions_mut().insert(report);
            }
            Err(response.map(PeekedBody::untouched))
        }
        Some((form, coding)) if !response.body().is_end_stream() => {
            let hold = Box::pin(Hold::new(response, form, coding, limits, attempt));
            Ok(Kind::Hold { hold })
        }
        _ => Err(response.map(PeekedBody::untouched)),
    }
}

/// Begins to read the body of a refusal that is in doubt. Returns any other response as an error, with the report of its head.
fn read_refusal<F, B: Body>(
    mut response: Response<B>,
    attempt: &Attempt,
) -> Result<Kind<F, B>, Response<PeekedBody<B>>> {
    let status = response.status();
    // A gRPC response that is an error in its head, without an error status, has no body.
    let is_error = status.is_client_error() || status.is_server_error();
    // A layer inside may have read more than the head.
    let is_read = || response.extensions().get::<Report>().is_some();
    if is_error
        && !is_read()
        && let Some(report) = report_of_head(&response)
    {
        if report.needs_body() {
            let moves_on = report.refusal().cools() && attempt.will_move_on(Instant::now());
            let read = Box::pin(ReadRefusal::new(response, report, moves_on));
            return Ok(Kind::Refusal { read });
        }
        response.extensions_mut().insert(report);
    }
    Err(response.map(PeekedBody::untouched))
}

impl<F, ResBody: Body> fmt::Debug for ResponseFuture<F, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

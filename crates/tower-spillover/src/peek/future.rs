use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use spillover_hint::Report;

use super::{attempt::Attempt, body::PeekedBody, form::Form, hold::Hold, layer::Limits};
use crate::fields::GRPC_STATUS;

pin_project! {
    /// The response of the inner service; of a stream, when it is known how it begins.
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
            limits: Limits,
            attempt: Attempt,
        },
        // Boxed, because many responses are no streams.
        Hold {
            hold: Pin<Box<Hold<ResBody>>>,
        },
    }
}

impl<F, ResBody: Body> ResponseFuture<F, ResBody> {
    pub(super) fn new(future: F, limits: Limits, attempt: Attempt) -> Self {
        Self {
            kind: Kind::Call {
                future,
                limits,
                attempt,
            },
        }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Body + Unpin,
{
    type Output = Result<Response<PeekedBody<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let (response, limits, attempt) = match kind.as_mut().project() {
                KindProj::Call {
                    future,
                    limits,
                    attempt,
                } => (ready!(future.poll(cx))?, *limits, mem::take(attempt)),
                KindProj::Hold { hold } => return Poll::Ready(Ok(ready!(hold.as_mut().poll(cx)))),
            };
            let Some((form, coding)) = Form::of(&response) else {
                return Poll::Ready(Ok(response.map(PeekedBody::untouched)));
            };
            if form == Form::Grpc && response.headers().contains_key(GRPC_STATUS) {
                return Poll::Ready(Ok(trailers_only(response)));
            }
            if response.body().is_end_stream() {
                return Poll::Ready(Ok(response.map(PeekedBody::untouched)));
            }
            let hold = Box::pin(Hold::new(response, form, coding, limits, attempt));
            kind.set(Kind::Hold { hold });
        }
    }
}

impl<F, ResBody: Body> fmt::Debug for ResponseFuture<F, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// A gRPC response that has in its head how it went.
fn trailers_only<B: Body>(mut response: Response<B>) -> Response<PeekedBody<B>> {
    if let Some(report) = Report::from_head(response.status(), response.headers()) {
        response.extensions_mut().insert(report);
    }
    response.map(PeekedBody::untouched)
}

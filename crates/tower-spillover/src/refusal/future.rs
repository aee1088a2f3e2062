use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use spillover_core::{Selected, Tried};
use spillover_hint::Report;
use tokio::time::Instant;

use super::read::ReadRefusal;
use crate::{body::ResumedBody, report::report_of_head};

pin_project! {
    /// The response of the inner service, with what its body says.
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
            attempt: Option<(Selected, Tried)>,
        },
        // Boxed, because most responses are none.
        Read {
            read: Pin<Box<ReadRefusal<ResBody>>>,
        },
    }
}

impl<F, ResBody: Body> ResponseFuture<F, ResBody> {
    pub(super) fn new(future: F, attempt: Option<(Selected, Tried)>) -> Self {
        Self {
            kind: Kind::Call { future, attempt },
        }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Body<Error: Send> + Send + Unpin + 'static,
{
    type Output = Result<Response<ResumedBody<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let (mut response, attempt) = match kind.as_mut().project() {
                KindProj::Call { future, attempt } => (ready!(future.poll(cx))?, attempt.take()),
                KindProj::Read { read } => return Poll::Ready(Ok(ready!(read.as_mut().poll(cx)))),
            };
            let status = response.status();
            // What gRPC says in a head without an error status is all of it.
            let is_error = status.is_client_error() || status.is_server_error();
            // A layer inside may have read more than the head.
            let is_read = || response.extensions().get::<Report>().is_some();
            if is_error
                && !is_read()
                && let Some(report) = report_of_head(&response)
            {
                if report.needs_body() {
                    let may_move_on = |(selected, tried): (Selected, Tried)| {
                        selected.may_move_on(&tried, Instant::now())
                    };
                    let moves_on = report.refusal().cools() && attempt.is_some_and(may_move_on);
                    let read = Box::pin(ReadRefusal::new(response, report, moves_on));
                    kind.set(Kind::Read { read });
                    continue;
                }
                response.extensions_mut().insert(report);
            }
            return Poll::Ready(Ok(response.map(ResumedBody::untouched)));
        }
    }
}

impl<F, ResBody: Body> fmt::Debug for ResponseFuture<F, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

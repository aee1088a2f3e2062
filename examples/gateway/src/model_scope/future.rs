use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{BoxError, Service};

use super::{ReadBody, scan::Scan};
use crate::dialect::{Dialect, ErrorKind, GatewayError};

pin_project! {
    /// The answer of the inner service, once the scope is known.
    pub(crate) struct ResponseFuture<S, B>
    where
        S: Service<Request<ReadBody<B>>>,
    {
        #[pin]
        kind: Kind<S, S::Future, B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, F, B> {
        Read {
            read: Option<Read<S, B>>,
        },
        Call {
            #[pin]
            future: F,
        },
    }
}

struct Read<S, B> {
    inner: S,
    head: Parts,
    body: ReadBody<B>,
    scan: Scan,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<ReadBody<B>>>,
{
    pub(super) fn read(inner: S, request: Request<B>) -> Self {
        let (head, body) = request.into_parts();
        let read = Read {
            inner,
            head,
            body: ReadBody::unread(body),
            scan: Scan::default(),
        };
        Self {
            kind: Kind::Read { read: Some(read) },
        }
    }

    pub(super) fn call(future: S::Future) -> Self {
        Self {
            kind: Kind::Call { future },
        }
    }
}

impl<S, B, ResBody> Future for ResponseFuture<S, B>
where
    S: Service<Request<ReadBody<B>>, Response = Response<ResBody>, Error = Infallible>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    ResBody: From<Bytes>,
{
    type Output = Result<Response<ResBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let read = match kind.as_mut().project() {
                KindProj::Call { future } => return future.poll(cx),
                KindProj::Read { read } => read,
            };
            let reading = read.as_mut().expect("polled after completion");
            let result = ready!(reading.body.poll_scope(&mut reading.scan, cx));
            let Read {
                mut inner,
                mut head,
                body,
                ..
            } = read.take().expect("it was there");
            match result {
                Ok(scope) => {
                    if let Some(scope) = scope {
                        head.extensions.insert(scope);
                    }
                    let future = inner.call(Request::from_parts(head, body));
                    kind.set(Kind::Call { future });
                }
                Err(error) => return Poll::Ready(Ok(incomplete(&head, error.into()))),
            }
        }
    }
}

fn incomplete<B: From<Bytes>>(head: &Parts, error: BoxError) -> Response<B> {
    tracing::debug!(%error, "the request body could not be read");
    Dialect::of(&head.uri, &head.headers).response(&GatewayError {
        kind: ErrorKind::BadRequest,
        message: "The request body ended before it was complete.".into(),
    })
}

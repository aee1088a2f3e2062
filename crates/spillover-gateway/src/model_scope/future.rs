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
use tower_spillover::Scope;

use super::{ReadBody, look::Look, of_path};
use crate::dialect::{Dialect, ErrorKind, GatewayError};
use spillover_serve::BodyTimeout;

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
    look: Look,
    has_scope: bool,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<ReadBody<B>>>,
{
    /// Reads of the body what is wanted, and the scope unless the request has it.
    pub(super) fn read(inner: S, request: Request<B>, look: Look, has_scope: bool) -> Self {
        let (head, body) = request.into_parts();
        let read = Read {
            inner,
            head,
            body: ReadBody::unread(body),
            look,
            has_scope,
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
            let result = ready!(reading.body.poll_look(&mut reading.look, cx));
            let Read {
                mut inner,
                mut head,
                body,
                look,
                has_scope,
            } = read.take().expect("it was there");
            match result {
                Err(error) => return Poll::Ready(Ok(incomplete(&head, error.into()))),
                // Without its model it would go elsewhere.
                Ok(false) if look.is_decisive() => return Poll::Ready(Ok(no_room(&head))),
                Ok(_) => {}
            }
            if look.is_ambiguous() {
                return Poll::Ready(Ok(ambiguous(&head)));
            }
            if !has_scope {
                let scope = look
                    .model()
                    .map_or_else(|| of_path(&head.uri), Scope::of_model);
                head.extensions.insert(scope);
            }
            if look.is_kept() {
                head.extensions.insert(look.into_found());
            }
            let future = inner.call(Request::from_parts(head, body));
            kind.set(Kind::Call { future });
        }
    }
}

fn incomplete<B: From<Bytes>>(head: &Parts, error: BoxError) -> Response<B> {
    tracing::debug!(%error, "the request body could not be read");
    let error = match error.downcast_ref::<BodyTimeout>() {
        Some(timeout) => GatewayError::slow_request(timeout.after()),
        None => GatewayError::incomplete_request(),
    };
    Dialect::of(&head.uri, &head.headers).response(&error)
}

fn no_room<B: From<Bytes>>(head: &Parts) -> Response<B> {
    tracing::warn!("a request was refused: too many large bodies are read at the same time");
    Dialect::of(&head.uri, &head.headers).response(&GatewayError {
        kind: ErrorKind::Overloaded,
        message: "The gateway reads too many large requests at the moment. Please retry.".into(),
    })
}

fn ambiguous<B: From<Bytes>>(head: &Parts) -> Response<B> {
    Dialect::of(&head.uri, &head.headers).response(&GatewayError {
        kind: ErrorKind::Ambiguous,
        message: "The request body has more than one model, or a form that can be read in more than one way.".into(),
    })
}

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use spillover_core::Scope;
use tower::BoxError;
use tower_service::Service;

use super::{ReadBody, Rejected, ResponseForRejected, scan::BodyScan};

pin_project! {
    /// The response of the inner service, which is called when the scope of the request is known.
    pub struct ResponseFuture<S, R, B>
    where
        S: Service<Request<ReadBody<B>>>,
    {
        #[pin]
        kind: Kind<S, R, S::Future, B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, R, F, B> {
        Read {
            read: Option<Read<S, R, B>>,
        },
        Call {
            #[pin]
            future: F,
        },
    }
}

struct Read<S, R, B> {
    inner: S,
    response: R,
    head: Parts,
    body: ReadBody<B>,
    scan: BodyScan,
}

impl<S, R, B> ResponseFuture<S, R, B>
where
    S: Service<Request<ReadBody<B>>>,
{
    pub(super) fn read(inner: S, response: R, request: Request<B>, scan: BodyScan) -> Self {
        let (head, body) = request.into_parts();
        let read = Read {
            inner,
            response,
            head,
            body: ReadBody::unread(body),
            scan,
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

impl<S, R, B, ResBody> Future for ResponseFuture<S, R, B>
where
    S: Service<Request<ReadBody<B>>, Response = Response<ResBody>>,
    R: ResponseForRejected<ResBody>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let read = match kind.as_mut().project() {
                KindProj::Call { future } => return future.poll(cx),
                KindProj::Read { read } => read,
            };
            let reading = read.as_mut().expect("polled after completion");
            let result = ready!(reading.body.poll_scan(&mut reading.scan, cx));
            let Read {
                mut inner,
                response,
                mut head,
                body,
                scan,
            } = read.take().expect("the state was just read");
            let rejected = match result {
                Err(error) => Some(Rejected::Body(error.into())),
                // Without the model, the request could reach the wrong pool or model.
                Ok(false) if scan.is_decisive() => Some(Rejected::NoRoom),
                Ok(_) => scan.is_ambiguous().then_some(Rejected::Ambiguous),
            };
            if let Some(rejected) = rejected {
                return Poll::Ready(Ok(response.response_for(&rejected, &head)));
            }
            if !scan.is_in_path() {
                let path = head.uri.path();
                let scope = Scope::of_path(path).or_else(|| scan.model().map(Scope::of_model));
                let scope = scope.unwrap_or_else(|| Scope::named(path));
                head.extensions.insert(scope);
            }
            if scan.is_extracted() {
                head.extensions.insert(scan.into_extracted());
            }
            let future = inner.call(Request::from_parts(head, body));
            kind.set(Kind::Call { future });
        }
    }
}

impl<S, R, B> fmt::Debug for ResponseFuture<S, R, B>
where
    S: Service<Request<ReadBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

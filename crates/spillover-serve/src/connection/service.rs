use std::{
    cell::RefCell,
    convert::Infallible,
    mem,
    pin::Pin,
    sync::Arc,
    task::{self, Poll, Waker, ready},
};

use http::{HeaderValue, Request, Response, StatusCode, Version, header::CONNECTION};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use pin_project_lite::pin_project;
use tokio::time::Duration;
use tower::{Service, ServiceExt, util::Oneshot};

use super::{
    ClientFingerprint,
    activity::{Activity, InFlight},
};
use crate::{RequestBody, ResponseBody, TaskSpawner};

/// The service of a connection, as hyper calls it. Serves all requests of the connection without a clone for each.
#[derive(Debug)]
pub(super) struct ConnectionService<S> {
    stack: RefCell<S>,
    peer: Peer,
}

/// Properties of a connection that its requests get.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) activity: Arc<Activity>,
    pub(super) body_timeout: Duration,
    pub(super) spawner: TaskSpawner,
    pub(super) fingerprint: Option<ClientFingerprint>,
}

impl<S> ConnectionService<S> {
    pub(super) fn new(stack: S, peer: Peer) -> Self {
        Self {
            stack: RefCell::new(stack),
            peer,
        }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for ConnectionService<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = ResponseFuture<S>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let Peer {
            activity,
            body_timeout,
            spawner,
            fingerprint,
        } = &self.peer;
        let in_flight = InFlight::new(activity);
        let is_http1 = request.version() <= Version::HTTP_11;
        let mut request =
            request.map(|body| RequestBody::new(body, *body_timeout, Arc::clone(activity)));
        let extensions = request.extensions_mut();
        if extensions.get::<OnUpgrade>().is_some() {
            extensions.insert(spawner.clone());
        }
        if let Some(fingerprint) = fingerprint {
            extensions.insert(fingerprint.clone());
        }

        let mut stack = self.stack.borrow_mut();
        let mut no_wake = task::Context::from_waker(Waker::noop());
        let call = match stack.poll_ready(&mut no_wake) {
            Poll::Ready(Ok(())) => Call::Ready {
                response: stack.call(request),
            },
            // The instance that was polled may be queued for a permit, so it is the one that waits.
            Poll::Pending => {
                let fresh = stack.clone();
                Call::Waiting {
                    response: mem::replace(&mut *stack, fresh).oneshot(request),
                }
            }
        };
        ResponseFuture {
            call,
            in_flight: Some(in_flight),
            is_http1,
        }
    }
}

pin_project! {
    /// Response future of [`ConnectionService`].
    pub(super) struct ResponseFuture<S: Service<Request<RequestBody>>> {
        #[pin]
        call: Call<S>,
        in_flight: Option<InFlight>,
        is_http1: bool,
    }
}

pin_project! {
    /// The call of the service. A service that is not ready at once leaves the connection, which goes on with a clone.
    #[project = CallProj]
    enum Call<S: Service<Request<RequestBody>>> {
        Ready {
            #[pin]
            response: S::Future,
        },
        Waiting {
            #[pin]
            response: Oneshot<S, Request<RequestBody>>,
        },
    }
}

impl<S, B> Future for ResponseFuture<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(match this.call.project() {
            CallProj::Ready { response } => response.poll(cx),
            CallProj::Waiting { response } => response.poll(cx),
        });
        let in_flight = this.in_flight.take().expect("polled after completion");
        let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if *this.is_http1 && in_flight.activity().is_leaving() && !is_upgraded {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, in_flight))))
    }
}

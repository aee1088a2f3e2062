use std::{
    cell::RefCell,
    convert::Infallible,
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use hyper::body::Incoming;
use tower::Service;

/// The stack of one connection, as hyper calls it. It serves all requests of the connection, and is cloned for none of them.
#[derive(Debug)]
pub(super) struct ConnectionService<S> {
    stack: RefCell<S>,
}

impl<S> ConnectionService<S> {
    pub(super) fn new(stack: S) -> Self {
        Self {
            stack: RefCell::new(stack),
        }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for ConnectionService<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn call(&self, request: Request<Incoming>) -> S::Future {
        let mut stack = self.stack.borrow_mut();
        // It always is: backends refuse in their responses, and the client makes connections as they are needed.
        let ready = stack.poll_ready(&mut Context::from_waker(Waker::noop()));
        debug_assert!(matches!(ready, Poll::Ready(Ok(()))));
        stack.call(request)
    }
}

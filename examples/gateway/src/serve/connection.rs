use std::{cell::RefCell, convert::Infallible};

use http::{Request, Response};
use hyper::body::Incoming;
use tower::Service;

use crate::ready::call_ready;

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
        call_ready(&mut *self.stack.borrow_mut(), request)
    }
}

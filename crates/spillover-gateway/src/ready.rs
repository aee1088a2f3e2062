use std::task::{Context, Poll, Waker};

use tower::Service;

/// Calls a service without waiting until it is ready. Services of the gateway always are: a closed backend shows in the
/// response, and the client opens connections on demand.
pub(crate) fn call_ready<S: Service<R>, R>(service: &mut S, request: R) -> S::Future {
    let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    debug_assert!(matches!(ready, Poll::Ready(Ok(()))));
    service.call(request)
}

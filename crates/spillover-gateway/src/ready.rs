use std::task::{Context, Poll, Waker};

use tower::Service;

/// Calls a service of this gateway without waiting until it is ready. It always is: backends refuse in their responses, and the
/// client makes connections as they are needed.
pub(crate) fn call_ready<S: Service<R>, R>(service: &mut S, request: R) -> S::Future {
    let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    debug_assert!(matches!(ready, Poll::Ready(Ok(()))));
    service.call(request)
}

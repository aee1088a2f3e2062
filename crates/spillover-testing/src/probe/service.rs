use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    future::{InFlight, ResponseFuture},
    handle::ProbeHandle,
    state::{Gate, State},
};
use crate::sync::lock;

/// A service that checks how it is called. See the [module documentation](super).
///
/// `B` and `ResBody` are the bodies of request and response, `E` is the error.
pub struct Probe<B, ResBody, E> {
    respond: Arc<Mutex<Respond<B, ResBody, E>>>,
    state: Arc<State<E>>,
    ready: bool,
    /// The number of further polls of this instance that answer `Pending`; `None` before its first poll.
    pending_polls: Option<usize>,
}

type Respond<B, ResBody, E> = dyn FnMut(Request<B>) -> Pin<Box<dyn Future<Output = Result<Response<ResBody>, E>> + Send>>
    + Send;

impl<B, ResBody, E> Probe<B, ResBody, E> {
    /// Creates a probe that answers each request with `respond`.
    ///
    /// All clones share the closure, so it can count or store requests. It must not call the probe itself.
    pub fn new<F, Fut>(mut respond: F) -> Self
    where
        F: FnMut(Request<B>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Response<ResBody>, E>> + Send + 'static,
    {
        let state = Arc::new(State::default());
        state.counts().instances += 1;
        Self {
            respond: Arc::new(Mutex::new(move |req| Box::pin(respond(req)) as Pin<Box<_>>)),
            state,
            ready: false,
            pending_polls: None,
        }
    }

    /// Returns the handle shared by this probe and all of its clones.
    pub fn handle(&self) -> ProbeHandle<E> {
        ProbeHandle::new(Arc::clone(&self.state))
    }

    /// Returns true if this instance was polled ready and not called since.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    fn set_ready(&mut self, ready: bool) {
        if self.ready != ready {
            self.ready = ready;
            let mut counts = self.state.counts();
            if ready {
                counts.reserved += 1;
            } else {
                counts.reserved -= 1;
            }
        }
    }
}

impl<B, ResBody, E> Service<Request<B>> for Probe<B, ResBody, E> {
    type Response = Response<ResBody>;
    type Error = E;
    type Future = ResponseFuture<ResBody, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.state.counts().polls += 1;
        let gate = self.state.gate(cx);
        if let Gate::Failed(error) = gate {
            self.set_ready(false);
            return Poll::Ready(Err(error));
        }
        // A ready instance stays ready until it is called.
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        let Gate::Open { pending_polls } = gate else {
            return Poll::Pending;
        };
        match self.pending_polls.get_or_insert(pending_polls) {
            0 => {
                self.pending_polls = None;
                self.set_ready(true);
                Poll::Ready(Ok(()))
            }
            left => {
                *left -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    #[track_caller]
    fn call(&mut self, req: Request<B>) -> Self::Future {
        if !self.ready {
            self.state.counts().violations += 1;
            panic!(
                "readiness contract violated: `call` on an instance whose `poll_ready` has not \
                 answered `Ready` since it was created or last called (clones start unready)"
            );
        }
        self.set_ready(false);
        let in_flight = InFlight::start(Arc::clone(&self.state));
        let response = lock(&self.respond)(req);
        ResponseFuture::new(response, in_flight)
    }
}

impl<B, ResBody, E> Clone for Probe<B, ResBody, E> {
    fn clone(&self) -> Self {
        let mut counts = self.state.counts();
        counts.instances += 1;
        counts.clones += 1;
        drop(counts);
        Self {
            respond: Arc::clone(&self.respond),
            state: Arc::clone(&self.state),
            // Readiness belongs to the instance that was polled.
            ready: false,
            pending_polls: None,
        }
    }
}

impl<B, ResBody, E> Drop for Probe<B, ResBody, E> {
    fn drop(&mut self) {
        self.set_ready(false);
        self.state.counts().instances -= 1;
    }
}

impl<B, ResBody, E> fmt::Debug for Probe<B, ResBody, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

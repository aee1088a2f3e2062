use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::Permit;

/// A place in the queue for a permit, or a permit.
pub(super) struct Acquire {
    semaphore: Arc<Semaphore>,
    state: State,
}

enum State {
    Idle,
    // Boxed, because only a service that has to wait has one.
    Waits(Pin<Box<Waits>>),
    Has(Permit),
}

type Waits = dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send + Sync;

impl Acquire {
    pub(super) fn new(semaphore: Arc<Semaphore>) -> Self {
        Self {
            semaphore,
            state: State::Idle,
        }
    }

    /// Waits for a permit.
    pub(super) fn poll_acquire(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let permit = match &mut self.state {
            State::Has(_) => return Poll::Ready(()),
            State::Waits(waits) => ready!(waits.as_mut().poll(cx)).expect(CLOSED),
            // A permit that another service waits for is not taken.
            State::Idle => match Arc::clone(&self.semaphore).try_acquire_owned() {
                Ok(permit) => permit,
                Err(TryAcquireError::Closed) => panic!("{CLOSED}"),
                Err(TryAcquireError::NoPermits) => {
                    let mut waits: Pin<Box<Waits>> =
                        Box::pin(Arc::clone(&self.semaphore).acquire_owned());
                    let poll = waits.as_mut().poll(cx);
                    self.state = State::Waits(waits);
                    ready!(poll).expect(CLOSED)
                }
            },
        };
        self.state = State::Has(Permit::new(permit));
        Poll::Ready(())
    }

    /// Hands the permit out, if it has one.
    pub(super) fn take(&mut self) -> Option<Permit> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Has(permit) => Some(permit),
            _ => None,
        }
    }
}

/// A clone has no permit and is not in the queue.
impl Clone for Acquire {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.semaphore))
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("semaphore", &self.semaphore)
            .field("has_permit", &matches!(self.state, State::Has(_)))
            .finish_non_exhaustive()
    }
}

const CLOSED: &str = "the semaphore of a concurrency limit is never closed";

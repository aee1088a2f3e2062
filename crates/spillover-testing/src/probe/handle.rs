use std::{fmt, sync::Arc};

use super::state::State;

/// Controls the readiness of a [`Probe`](super::Probe) and all of its clones, and reads their counters.
pub struct ProbeHandle<E> {
    state: Arc<State<E>>,
}

impl<E> ProbeHandle<E> {
    pub(super) fn new(state: Arc<State<E>>) -> Self {
        Self { state }
    }

    /// Makes `poll_ready` answer `Pending`, except on instances that are ready already: those stay ready.
    pub fn set_pending(&self) {
        self.state
            .set_readiness(|readiness| readiness.closed = true);
    }

    /// Undoes [`set_pending`](Self::set_pending) and wakes the waiting tasks.
    pub fn set_ready(&self) {
        self.state
            .set_readiness(|readiness| readiness.closed = false);
    }

    /// Makes each instance answer `Pending` this many times before it is ready, waking its task each time. The count
    /// starts again after each call.
    pub fn set_pending_polls(&self, polls: usize) {
        self.state
            .set_readiness(|readiness| readiness.pending_polls = polls);
    }

    /// Makes the next `poll_ready` of any instance fail with `error`, once. Several errors queue up.
    pub fn fail_ready(&self, error: E) {
        self.state
            .set_readiness(|readiness| readiness.errors.push_back(error));
    }

    /// Returns the number of calls of `poll_ready`.
    pub fn polls(&self) -> usize {
        self.state.counts().polls
    }

    /// Returns the number of requests accepted by `call`, without violations.
    pub fn calls(&self) -> usize {
        self.state.counts().calls
    }

    /// Returns the number of clones made.
    pub fn clones(&self) -> usize {
        self.state.counts().clones
    }

    /// Returns the number of live instances, the first one included.
    pub fn instances(&self) -> usize {
        self.state.counts().instances
    }

    /// Returns the number of instances that are ready and not called: capacity that a layer reserves.
    pub fn reserved(&self) -> usize {
        self.state.counts().reserved
    }

    /// Returns the number of response futures that exist and have not ended.
    pub fn in_flight(&self) -> usize {
        self.state.counts().in_flight
    }

    /// Returns the number of response futures that gave a response or an error.
    pub fn completed(&self) -> usize {
        self.state.counts().completed
    }

    /// Returns the number of response futures dropped before they ended.
    pub fn cancelled(&self) -> usize {
        self.state.counts().cancelled
    }

    /// Returns the number of calls without readiness. Each of them panicked too, but maybe in a task that was never
    /// joined.
    pub fn violations(&self) -> usize {
        self.state.counts().violations
    }
}

impl<E> Clone for ProbeHandle<E> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.state))
    }
}

impl<E> fmt::Debug for ProbeHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.state.counts();
        f.debug_struct("ProbeHandle")
            .field("polls", &counts.polls)
            .field("calls", &counts.calls)
            .field("clones", &counts.clones)
            .field("instances", &counts.instances)
            .field("reserved", &counts.reserved)
            .field("in_flight", &counts.in_flight)
            .field("completed", &counts.completed)
            .field("cancelled", &counts.cancelled)
            .field("violations", &counts.violations)
            .finish()
    }
}

use std::{fmt, sync::Arc};

use super::state::State;

/// Steers the readiness of a [`Probe`](super::Probe) and all of its clones, and reads what they
/// counted.
pub struct ProbeHandle<E> {
    state: Arc<State<E>>,
}

impl<E> ProbeHandle<E> {
    pub(super) fn new(state: Arc<State<E>>) -> Self {
        Self { state }
    }

    /// From now on `poll_ready` answers `Pending`, except on instances that are ready already:
    /// those must keep their word.
    pub fn set_pending(&self) {
        self.state
            .set_readiness(|readiness| readiness.closed = true);
    }

    /// Undoes [`set_pending`](Self::set_pending) and wakes what waits for it.
    pub fn set_ready(&self) {
        self.state
            .set_readiness(|readiness| readiness.closed = false);
    }

    /// Each instance answers `Pending` this many times, waking its task each time, before it is
    /// ready; and again after each call.
    pub fn set_pending_polls(&self, polls: usize) {
        self.state
            .set_readiness(|readiness| readiness.pending_polls = polls);
    }

    /// The next `poll_ready` of any instance fails with `error`, once. Several errors queue up.
    pub fn fail_ready(&self, error: E) {
        self.state
            .set_readiness(|readiness| readiness.errors.push_back(error));
    }

    /// Times that `poll_ready` was called.
    pub fn polls(&self) -> usize {
        self.state.counts().polls
    }

    /// Requests accepted by `call`; violations are not among them.
    pub fn calls(&self) -> usize {
        self.state.counts().calls
    }

    /// Times that an instance was cloned.
    pub fn clones(&self) -> usize {
        self.state.counts().clones
    }

    /// Instances alive now, the first one included.
    pub fn instances(&self) -> usize {
        self.state.counts().instances
    }

    /// Instances that are ready now and have not been called: capacity that a layer holds.
    pub fn reserved(&self) -> usize {
        self.state.counts().reserved
    }

    /// Response futures that exist and have not ended.
    pub fn in_flight(&self) -> usize {
        self.state.counts().in_flight
    }

    /// Response futures that gave a response or an error.
    pub fn completed(&self) -> usize {
        self.state.counts().completed
    }

    /// Response futures dropped before they ended.
    pub fn cancelled(&self) -> usize {
        self.state.counts().cancelled
    }

    /// Calls without readiness. Each has panicked too, but perhaps in a task that nobody joined.
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

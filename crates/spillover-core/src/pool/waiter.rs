use std::{
    fmt,
    task::{Context, Poll},
};

use tokio::time::Instant;

use super::{
    Pool, Query, Selected,
    queue::{Position, Turn},
};

/// A request that waits for a backend in the queue of a pool; see [`Pool::wait`].
///
/// Requests for the same backends and the same scope are in one line, and only the first of a line looks for a backend. A
/// request looks when it becomes the first, when a full backend has a place again, and at the time that [`Pool::opening`]
/// returns. Afterwards it reports the result: [`found`](Self::found) or [`missed`](Self::missed). Dropping the waiter leaves
/// the queue.
pub struct Waiter {
    pool: Pool,
    pub(super) position: Position,
}

impl Waiter {
    pub(super) fn new(pool: Pool, query: &Query<'_>) -> Self {
        let only = pool.only(query.affinity);
        let ticket = query.request().and_then(super::Attempts::take_ticket);
        let position = pool.queue().enter(query, only, ticket);
        Self { pool, position }
    }

    /// Polls for the moment to look for a backend: the request became the first of its line, or a permit became free.
    /// The future can be polled again afterwards.
    pub fn poll_called(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pool.queue().poll_called(&self.position, cx)
    }

    /// Returns the permission of the request to look for a backend.
    ///
    /// After the end of a throttle, requests are released one by one, since nothing says how many the backend takes:
    /// two of them 50 ms apart, then twice as many in each 50 ms as before, until one is refused. A free permit of a
    /// backend that was full is used at once.
    #[must_use]
    pub fn turn(&self, now: Instant) -> Turn {
        self.pool.queue().turn(&self.position, now)
    }

    /// Leaves the queue for this backend, and wakes the next request of the line.
    pub fn found(self, selected: &Selected, now: Instant) {
        let permit = selected
            .is_limited()
            .then(|| self.pool.has_free_permit(now));
        self.pool.queue().found(&self.position, permit, now);
    }

    /// Records that no backend was found. A permit that is free, but of a backend closed for this request, is left to
    /// another line.
    pub fn missed(&mut self, now: Instant) {
        let is_permit_left = self.pool.has_free_permit(now);
        self.pool.queue().missed(&self.position, is_permit_left);
    }

    /// Returns the ticket of the request. [`Attempts`](super::Attempts) saves it: a request that is refused afterwards
    /// waits on at the same position.
    pub(super) fn ticket(&self) -> u64 {
        self.position.ticket
    }

    /// Saves the position in the queue for when the request waits again.
    pub fn keep_place(&self, attempts: &super::Attempts) {
        attempts.keep_ticket(self.ticket());
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.pool.queue().leave(&self.position);
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").finish_non_exhaustive()
    }
}

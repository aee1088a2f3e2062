use std::time::Duration;

use http::{HeaderValue, Request};
use spillover_core::layer::AttemptsProtocol;
use tokio::time::Instant;
use tower_spillover::{Attempts, Outcome, Selected, patience::AttemptLimit};

use super::error::UpstreamError;
use crate::{Progress, idle_timeout::BodyTimer, limits::Deadline};

/// The parts of a request that are needed while its attempt is in flight.
#[derive(Debug)]
pub(super) struct Attempt {
    selected: Option<Selected>,
    tried: Option<Attempts>,
    deadline: Option<Deadline>,
    /// True when earlier attempts have used up most of the request's time.
    is_mostly_spent: bool,
    /// Limit that follows from the timeout of the client's SDK. Boxed, because few requests have one.
    limit: Option<Box<AttemptLimit>>,
}

impl Attempt {
    pub(super) fn begin<B>(request: &Request<B>) -> Self {
        let extensions = request.extensions();
        let deadline: Option<Deadline> = extensions.get().copied();
        let attempt = Self {
            selected: extensions.get::<Selected>().cloned(),
            tried: extensions.get::<Attempts>().cloned(),
            is_mostly_spent: deadline
                .is_some_and(|deadline| deadline.is_mostly_spent_at(Instant::now())),
            deadline,
            limit: AttemptLimit::of(request).map(Box::new),
        };
        if let (Some(progress), Some(selected), Some(tried)) = (
            extensions.get::<Progress>(),
            &attempt.selected,
            &attempt.tried,
        ) {
            progress.set_attempt(selected, tried);
        }
        attempt
    }

    /// Returns the time left until the total timeout of the request.
    pub(super) fn time_left(&self) -> Option<Duration> {
        Some(self.deadline?.at - Instant::now())
    }

    /// Returns the time until the request should go to another backend, if that is less than `timeout`.
    pub(super) fn limit(&self, timeout: Duration) -> Option<Duration> {
        let limit = self.limit.as_ref()?.duration();
        (limit < timeout).then_some(limit)
    }

    /// Returns the outcome of an attempt that has reached its limit, if another backend can take the request. Returns
    /// `None` otherwise, and the attempt goes on.
    pub(super) fn end_at_limit(&mut self, now: Instant) -> Option<Outcome> {
        let limit = self.limit.take()?;
        limit.may_move_on(now).then(|| limit.outcome())
    }

    /// Returns the timeouts of the response body. `idle` is the longest wait for a frame.
    pub(super) fn body_timer(&self, idle: Option<Duration>) -> BodyTimer {
        let late = self.tried.as_ref().filter(|_| self.is_mostly_spent);
        BodyTimer::new(idle, self.deadline, late.cloned())
    }

    /// Returns the index of the backend in its pool.
    pub(super) fn index(&self) -> Option<usize> {
        self.selected.as_ref().map(Selected::index)
    }

    pub(super) fn backend(&self) -> Option<&str> {
        self.selected
            .as_ref()
            .map(|selected| selected.backend().label())
    }

    /// Returns the `Host` field of the backend.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.selected
            .as_ref()
            .map(|selected| selected.backend().host())
    }

    /// Returns true when the backend gets the same request again because it did not process the first one.
    pub(super) fn is_resend(&self) -> bool {
        self.selected.as_ref().is_some_and(Selected::is_resend)
    }

    /// Returns the error of an attempt that has timed out.
    ///
    /// The backend is not blamed when the client has not sent its whole request yet, or when earlier attempts have used
    /// up most of the request's time.
    pub(super) fn time_out(&self, after: Duration) -> UpstreamError {
        let is_over = |deadline: Deadline| Instant::now() >= deadline.at;
        let is_mostly_spent =
            |deadline: Deadline| is_over(deadline) && deadline.is_mostly_spent(after);
        match &self.tried {
            Some(tried) if self.deadline.is_some_and(is_mostly_spent) => {
                tried.set_request_failed();
                UpstreamError::timeout(after)
            }
            Some(tried) if tried.is_awaiting_body() => {
                tried.set_request_failed();
                UpstreamError::slow_request(after)
            }
            _ => UpstreamError::timeout(after),
        }
    }
}

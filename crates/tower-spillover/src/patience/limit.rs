use std::time::Duration;

use http::Request;
use spillover_core::{
    Attempts, Class, Cooldown, Outcome, Selected,
    layer::{AttemptsProtocol, SelectedProtocol},
};
use tokio::time::Instant;

use super::read;
use crate::clock::wall_clock;

/// The time that one attempt may take to begin its answer, given how long the client waits. For HTTP clients that bound
/// attempts themselves, in place of [`PatienceLayer`](super::PatienceLayer).
#[derive(Clone, Debug)]
pub struct AttemptLimit {
    duration: Duration,
    selected: Selected,
    attempts: Attempts,
}

impl AttemptLimit {
    /// Returns the limit for a request that `PrioritySelect` sends to a backend. `None` when it does not say how long its
    /// client waits, or no other backend could be asked.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        let patience = read::patience(request.headers())?;
        let extensions = request.extensions();
        let selected: &Selected = extensions.get()?;
        let attempts: &Attempts = extensions.get()?;
        let now = Instant::now();
        let left = patience.left(now - attempts.begun(now), wall_clock)?;
        let limit = Self {
            duration: share(left, selected.latency(now)),
            selected: selected.clone(),
            attempts: attempts.clone(),
        };
        limit.has_other(now).then_some(limit)
    }

    /// Returns the time, from now.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Returns whether the request can be sent to another backend. Ask when the time is over; if it is false, the attempt
    /// goes on.
    #[must_use]
    pub fn may_move_on(&self, now: Instant) -> bool {
        let may_move_on = !self.attempts.is_body_held() && self.has_other(now);
        if may_move_on {
            let backend = self.selected.backend().label();
            // A `u64` is a number in JSON logs. The `u128` of `as_millis` would be a string.
            let limit_ms = self.duration.as_millis() as u64;
            tracing::info!(backend, limit_ms, "no answer within the client's patience");
        }
        may_move_on
    }

    /// Returns the outcome to put into the extensions of the response, status 504, that ends the attempt. With it,
    /// [`ThrottleTracker`](crate::throttle) holds nothing against the backend.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::new(Class::Late, Cooldown::default())
    }

    fn has_other(&self, now: Instant) -> bool {
        !self.attempts.is_last() && self.selected.has_open_candidate(&self.attempts, now)
    }
}

/// Returns the part of the time that one attempt has: half, or twice the usual time up to three quarters. A backend that
/// usually takes longer has half as well, since it would be too late in any case.
pub(super) fn share(left: Duration, usual: Option<Duration>) -> Duration {
    let (half, most) = (left / 2, left / 4 * 3);
    match usual {
        Some(usual) if usual <= most => usual.saturating_mul(2).clamp(half, most),
        _ => half,
    }
}

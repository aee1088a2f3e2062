use std::time::Duration;

use http::Extensions;
use spillover_core::{
    Attempts, Selected,
    layer::{AttemptsProtocol, SelectedProtocol},
};
use tokio::time::Instant;

/// The values in the extensions of a request that decide how long its stream is held.
#[derive(Default)]
pub(super) struct Attempt {
    selected: Option<Selected>,
    attempts: Option<Attempts>,
    // Boxed, because few have one: it would be moved with every request.
    first_token: Option<Box<FirstToken>>,
}

/// The deadline by which a stream must have content.
#[derive(Clone, Copy)]
pub(super) struct FirstToken {
    pub(super) limit: Duration,
    pub(super) deadline: Instant,
}

impl Attempt {
    pub(super) fn begin(extensions: &Extensions, first_token: Option<Duration>) -> Self {
        let first_token = first_token.map(|limit| FirstToken {
            limit,
            deadline: after(Instant::now(), limit),
        });
        Self {
            selected: extensions.get().cloned(),
            attempts: extensions.get().cloned(),
            first_token: first_token.map(Box::new),
        }
    }

    /// Notes that the answer began, though its head is held back.
    pub(super) fn set_head(&self) {
        if let Some(attempts) = &self.attempts {
            attempts.set_head();
        }
    }

    /// Returns whether the client has more to send. A client may wait for the head before it does.
    pub(super) fn is_awaiting_body(&self) -> bool {
        self.attempts
            .as_ref()
            .is_some_and(Attempts::is_awaiting_body)
    }

    /// Returns the deadline for content. `None` without one, and if no other backend could get the request.
    pub(super) fn first_token(&self, now: Instant) -> Option<FirstToken> {
        let first_token = self.first_token.as_deref()?;
        self.may_move_on(now).then_some(*first_token)
    }

    pub(super) fn into_selected(self) -> Option<Selected> {
        self.selected
    }

    /// Returns true if another backend would be asked if this one refused now. Without a chosen backend that is not known, and
    /// counts as false.
    pub(super) fn will_move_on(&self, now: Instant) -> bool {
        self.selected.is_some() && self.attempts.is_some() && self.may_move_on(now)
    }

    /// Returns true if another backend would be asked if this one refused now. Without a chosen backend that is not known, and
    /// counts as true.
    fn may_move_on(&self, now: Instant) -> bool {
        match (&self.selected, &self.attempts) {
            (Some(selected), Some(attempts)) => selected.may_move_on(attempts, now),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

/// This long after an instant; in thirty years where that is more than a clock holds.
pub(super) fn after(now: Instant, limit: Duration) -> Instant {
    now.checked_add(limit).unwrap_or(now + FOR_EVER)
}

const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

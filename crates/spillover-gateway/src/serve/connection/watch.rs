//! Looks at a connection from time to time, and says when it has to end.

use std::{pin::Pin, task::Poll};

use tokio::time::{Duration, Instant, Sleep, sleep};

use super::activity::Activity;
use crate::serve::Connections;

/// One timer for all that may take too long. What happens on the connection is only counted; the timer finds out how long
/// ago it was, give or take one step. Steps are short at first, and become longer.
#[derive(Debug)]
pub(super) struct Watch {
    step: Duration,
    longest: Duration,
    timer: Pin<Box<Sleep>>,
    requests: u32,
    /// When a head was begun that is not complete, if one is known to be.
    head_since: Option<Instant>,
    idle_since: Option<Instant>,
    writing: Progress,
    /// Within the windows of HTTP/2.
    handing: Progress,
}

/// Whether something goes on that is stuck now and then.
#[derive(Debug, Default)]
struct Progress {
    count: u32,
    stuck_since: Option<Instant>,
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    /// It has had nothing to do for a step.
    Idle,
    /// It has had nothing to do for too long.
    IdleTooLong,
    SlowHead,
    /// The client takes nothing.
    Stalled,
}

impl Watch {
    pub(super) fn new(connections: &Connections, activity: &Activity) -> Self {
        let Connections {
            head_timeout,
            idle_timeout,
            body_timeout,
            write_timeout,
            ..
        } = *connections;
        let timeouts = [head_timeout, idle_timeout, body_timeout, write_timeout];
        let shortest = timeouts.into_iter().fold(Duration::MAX, Duration::min);
        let longest = (shortest / 4).clamp(Duration::from_millis(1), LONGEST_STEP);
        let step = longest.min(FIRST_STEP);
        Self {
            step,
            longest,
            timer: Box::pin(sleep(step)),
            requests: activity.requests(),
            head_since: None,
            idle_since: None,
            writing: Progress::default(),
            handing: Progress::default(),
        }
    }

    /// Waits for the next time to look.
    pub(super) fn poll(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Instant> {
        self.timer.as_mut().poll(cx).map(|()| {
            let now = Instant::now();
            self.step = self.longest.min(2 * self.step);
            self.timer.as_mut().reset(now + self.step);
            now
        })
    }

    pub(super) fn look(
        &mut self,
        now: Instant,
        activity: &Activity,
        connections: &Connections,
    ) -> Verdict {
        activity.wake_waiting();
        if self.is_stalled(now, activity, connections.write_timeout) {
            return Verdict::Stalled;
        }
        let requests = activity.requests();
        let is_new = requests != self.requests;
        if is_new {
            self.requests = requests;
            self.head_since = None;
        }
        if is_new || activity.is_responding() || activity.is_write_blocked() {
            self.idle_since = None;
            return Verdict::GoOn;
        }
        if let Some(since) = self.head_since {
            let is_slow = now - since >= connections.head_timeout;
            return match is_slow {
                true => Verdict::SlowHead,
                false => Verdict::GoOn,
            };
        }
        let since = *self.idle_since.get_or_insert(now);
        match now - since >= connections.idle_timeout {
            true => Verdict::IdleTooLong,
            false => Verdict::Idle,
        }
    }

    /// From now on a head is there that is not complete.
    pub(super) fn begin_head(&mut self, now: Instant) {
        self.head_since = Some(now);
        self.idle_since = None;
    }

    fn is_stalled(&mut self, now: Instant, activity: &Activity, timeout: Duration) -> bool {
        let is_blocked = activity.is_write_blocked();
        let blocked = self.writing.stuck(is_blocked, activity.written(), now);
        let is_closed = activity.is_window_closed();
        let closed = self.handing.stuck(is_closed, activity.handed(), now);
        blocked.max(closed) >= timeout
    }
}

impl Progress {
    /// For how long it has been stuck, with no more than `count` done.
    fn stuck(&mut self, is_stuck: bool, count: u32, now: Instant) -> Duration {
        if !is_stuck {
            self.stuck_since = None;
            return Duration::ZERO;
        }
        if count != self.count {
            self.count = count;
            self.stuck_since = None;
        }
        now - *self.stuck_since.get_or_insert(now)
    }
}

/// Short: after a single request a connection soon takes no memory.
const FIRST_STEP: Duration = Duration::from_millis(50);

/// Long enough that looking at a connection that stays busy takes no time.
const LONGEST_STEP: Duration = Duration::from_millis(400);

//! The timer of a connection, which decides when it has to end.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::time::{Duration, Instant, Sleep, sleep};

use super::activity::Activity;
use crate::Connections;

/// One timer for all timeouts of a connection.
///
/// The parts of the connection only count what they do. The timer compares the counts at each step, so timeouts are exact to
/// one step. Steps begin short and become longer.
#[derive(Debug)]
pub(super) struct ConnectionTimer {
    step: Duration,
    longest: Duration,
    timer: Pin<Box<Sleep>>,
    requests: u32,
    /// Start of a request head that is known to be incomplete.
    head_since: Option<Instant>,
    idle_since: Option<Instant>,
    writing: Progress,
    /// Progress within the flow-control windows of HTTP/2.
    handing: Progress,
}

/// The task that waits for the events of a connection.
///
/// Every chunk wakes the task, and timers and phases that are pending would wake it themselves: to poll them each time
/// costs as much as the layers do.
#[derive(Debug, Default)]
pub(super) struct WaitingTask {
    waker: Option<Waker>,
}

/// Progress of writes.
#[derive(Debug, Default)]
struct Progress {
    count: u32,
    stuck_since: Option<Instant>,
}

/// Action that a connection has to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    GoOn,
    /// The connection was idle for a step.
    Idle,
    /// The idle timeout is over.
    IdleTooLong,
    SlowHead,
    /// The client accepts no bytes.
    Stalled,
}

impl ConnectionTimer {
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

    /// Waits for the next step. With `is_armed` the timer wakes this task already, and is only asked for its state.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, is_armed: bool) -> Poll<Instant> {
        if is_armed && !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        self.timer.as_mut().poll(cx).map(|()| {
            let now = Instant::now();
            self.step = self.longest.min(2 * self.step);
            self.timer.as_mut().reset(now + self.step);
            now
        })
    }

    /// Compares the counters, and returns the action to take.
    pub(super) fn check(
        &mut self,
        now: Instant,
        activity: &Activity,
        connections: &Connections,
    ) -> Action {
        activity.wake_waiting();
        if self.is_stalled(now, activity, connections.write_timeout) {
            return Action::Stalled;
        }
        let requests = activity.requests();
        let is_new = requests != self.requests;
        if is_new {
            self.requests = requests;
            self.head_since = None;
        }
        if is_new || activity.is_responding() || activity.is_write_blocked() {
            self.idle_since = None;
            return Action::GoOn;
        }
        if let Some(since) = self.head_since {
            let is_slow = now - since >= connections.head_timeout;
            return match is_slow {
                true => Action::SlowHead,
                false => Action::GoOn,
            };
        }
        let since = *self.idle_since.get_or_insert(now);
        match now - since >= connections.idle_timeout {
            true => Action::IdleTooLong,
            false => Action::Idle,
        }
    }

    /// Records that a request head has begun.
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

impl WaitingTask {
    /// Returns true if futures that were polled since the last event wake this task.
    pub(super) fn is_armed(&mut self, cx: &Context<'_>) -> bool {
        let waker = self.waker.as_ref();
        let is_armed = waker.is_some_and(|waker| waker.will_wake(cx.waker()));
        if !is_armed {
            self.waker = Some(cx.waker().clone());
        }
        is_armed
    }
}

impl Progress {
    /// Returns the time since the last progress.
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

/// First step, short so that a connection soon gives its memory back after a single request.
const FIRST_STEP: Duration = Duration::from_millis(50);

/// Longest step, long enough that the timer of a busy connection costs nothing.
const LONGEST_STEP: Duration = Duration::from_millis(400);

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Arc};

    use super::{super::activity::InFlight, *};

    const SECOND: Duration = Duration::from_secs(1);

    fn connections() -> Connections {
        Connections {
            head_timeout: 15 * SECOND,
            idle_timeout: 30 * SECOND,
            write_timeout: 20 * SECOND,
            ..Connections::default()
        }
    }

    /// Steps the timer until `action` is due, and returns the time until then.
    async fn time_until(
        timer: &mut ConnectionTimer,
        activity: &Activity,
        action: Action,
    ) -> Duration {
        let start = Instant::now();
        loop {
            let now = poll_fn(|cx| timer.poll(cx, false)).await;
            if timer.check(now, activity, &connections()) == action {
                return now - start;
            }
            assert!(now - start < 60 * SECOND, "{action:?} is never due");
        }
    }

    #[track_caller]
    fn assert_due(after: Duration, timeout: Duration) {
        assert!(
            after >= timeout && after <= timeout + 2 * LONGEST_STEP,
            "{after:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn incomplete_head_is_slow_after_its_timeout() {
        let activity = Activity::default();
        let mut timer = ConnectionTimer::new(&connections(), &activity);
        timer.begin_head(Instant::now());
        let after = time_until(&mut timer, &activity, Action::SlowHead).await;
        assert_due(after, 15 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn connection_without_requests_is_idle_at_once_and_too_long_after_the_timeout() {
        let activity = Activity::default();
        let mut timer = ConnectionTimer::new(&connections(), &activity);
        let after = time_until(&mut timer, &activity, Action::Idle).await;
        assert_eq!(after, FIRST_STEP);
        let after = time_until(&mut timer, &activity, Action::IdleTooLong).await;
        assert_due(after, 30 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn request_in_flight_keeps_the_connection_from_being_idle() {
        let activity = Arc::new(Activity::default());
        let mut timer = ConnectionTimer::new(&connections(), &activity);
        let request = InFlight::new(&activity);
        for _ in 0..200 {
            let now = poll_fn(|cx| timer.poll(cx, false)).await;
            assert_eq!(timer.check(now, &activity, &connections()), Action::GoOn);
        }
        drop(request);
        time_until(&mut timer, &activity, Action::Idle).await;
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_accepts_no_bytes_is_stalled_after_the_write_timeout() {
        let activity = Arc::new(Activity::default());
        let mut timer = ConnectionTimer::new(&connections(), &activity);
        let _request = InFlight::new(&activity);
        activity.write_blocked();
        for _ in 0..100 {
            let now = poll_fn(|cx| timer.poll(cx, false)).await;
            assert_ne!(timer.check(now, &activity, &connections()), Action::Stalled);
            // Each accepted write starts the timeout again.
            activity.wrote();
            activity.write_blocked();
        }
        let after = time_until(&mut timer, &activity, Action::Stalled).await;
        assert_due(after, 20 * SECOND);
    }
}

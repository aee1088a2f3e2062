//! The requests that wait for a backend, first in, first out.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use tokio::time::Instant;

use super::{Query, attempts::WORDS, pace::Pace};

/// One line for each set of backends and scope, so that no request waits behind one that waits for something else.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The number of requests that wait. Usually none do, and then nothing is locked.
    waiting: AtomicUsize,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    latest_ticket: u64,
    /// The number of times that a full backend had a place again. The first of each line looks once for each.
    notified: u64,
    /// The number of places at full backends that got free and are not known to be taken.
    free_permits: u32,
    by_key: HashMap<Key, Line>,
}

/// The properties that all requests of a line share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    scope: u64,
    /// The backend that the requests are pinned to.
    only: Option<usize>,
    excluded: [u64; WORDS],
}

#[derive(Debug, Default)]
struct Line {
    /// Ordered by ticket.
    waiting: VecDeque<Waiting>,
    pace: Pace,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    waker: Option<Waker>,
    is_called: bool,
    /// True between a call and the report of its result.
    is_looking: bool,
    /// The value of [`Lines::rung`] when the request looked last.
    looked_at: u64,
}

/// The place of one request. Tickets are unique.
#[derive(Debug)]
pub(super) struct Position {
    key: Key,
    pub(super) ticket: u64,
}

/// Says whether a request that waits may look for a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// The request may look.
    Now,
    /// The request is the first of its line, and the one before was let go just now: it may look at this instant.
    At(Instant),
    /// The request is not the first of its line.
    Behind,
}

impl Queue {
    /// Returns whether requests wait that this one would overtake.
    pub(super) fn is_waited_for(&self, query: &Query<'_>, only: Option<usize>) -> bool {
        self.waiting.load(Relaxed) != 0 && self.lock().by_key.contains_key(&Key::new(query, only))
    }

    /// Enters a line: at the end, or where the request stood before.
    pub(super) fn enter(
        &self,
        query: &Query<'_>,
        only: Option<usize>,
        ticket: Option<u64>,
    ) -> Position {
        let key = Key::new(query, only);
        let mut lines = self.lock();
        self.waiting.fetch_add(1, Relaxed);
        let ticket = ticket.unwrap_or_else(|| lines.next_ticket());
        let line = lines.by_key.entry(key).or_default();
        let place = line.place(ticket).unwrap_or_else(|place| place);
        // The first looks once more: a backend may have opened since the choice that failed.
        let waiting = Waiting {
            ticket,
            waker: None,
            is_called: place == 0,
            is_looking: false,
            looked_at: 0,
        };
        line.waiting.insert(place, waiting);
        Position { key, ticket }
    }

    pub(super) fn poll_called(&self, position: &Position, cx: &mut Context<'_>) -> Poll<()> {
        let mut lines = self.lock();
        let notified = lines.notified;
        let Some(waiting) = lines.waiting(position) else {
            return Poll::Pending;
        };
        if mem::take(&mut waiting.is_called) {
            waiting.is_looking = true;
            waiting.looked_at = notified;
            return Poll::Ready(());
        }
        match &mut waiting.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => waiting.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    pub(super) fn turn(&self, position: &Position, now: Instant) -> Turn {
        let mut lines = self.lock();
        let has_free_permit = lines.free_permits > 0;
        let Some(line) = lines.by_key.get_mut(&position.key) else {
            return Turn::Behind;
        };
        if line.place(position.ticket) != Ok(0) {
            return Turn::Behind;
        }
        match line.pace.next(now).filter(|_| !has_free_permit) {
            Some(instant) => Turn::At(instant),
            None => Turn::Now,
        }
    }

    /// A place at a full backend got free: the first of the oldest line is called.
    pub(super) fn notify_free_permit(&self) {
        // Under the lock even if no request waits: one that enters now sees the place, or is seen here.
        let mut lines = self.lock();
        if lines.by_key.is_empty() {
            return;
        }
        lines.notified += 1;
        lines.free_permits = lines.free_permits.saturating_add(1);
        let called = lines.call_next();
        drop(lines);
        wake(called);
    }

    /// Notes that a request found a backend, and leaves afterwards. `place` is set when the backend was full; it says whether
    /// another place is left there.
    pub(super) fn found(&self, position: &Position, permit: Option<bool>, now: Instant) {
        let mut lines = self.lock();
        if let Some(is_left) = permit {
            // More places may have got free than the queue was told of: a backend tells only when it was full.
            let left = lines.free_permits.saturating_sub(1);
            lines.free_permits = if is_left { left.max(1) } else { 0 };
            if let Some(waiting) = lines.waiting(position) {
                waiting.is_looking = is_left;
            }
        } else if let Some(line) = lines.by_key.get_mut(&position.key) {
            line.pace.count(now);
        }
    }

    /// Notes that a request found no backend. Another line is called if a place is left.
    pub(super) fn missed(&self, position: &Position, is_permit_left: bool) {
        let mut lines = self.lock();
        if let Some(line) = lines.by_key.get_mut(&position.key) {
            line.pace = Pace::default();
        }
        if let Some(waiting) = lines.waiting(position) {
            waiting.is_looking = false;
        }
        let called = if is_permit_left {
            lines.call_next()
        } else {
            lines.free_permits = 0;
            None
        };
        drop(lines);
        wake(called);
    }

    /// Takes a request out. If it was the first of its line, the next one is called. If the line is empty and the request did
    /// not look or left a place, another line is called.
    pub(super) fn leave(&self, position: &Position) {
        let mut lines = self.lock();
        let Some(line) = lines.by_key.get_mut(&position.key) else {
            return;
        };
        let Ok(place) = line.place(position.ticket) else {
            return;
        };
        let left = line.waiting.remove(place);
        self.waiting.fetch_sub(1, Relaxed);
        let is_owed = left.is_some_and(|left| left.is_called || left.is_looking);
        let called = match line.waiting.front_mut() {
            Some(next) if place == 0 => next.call(),
            Some(_) => None,
            None => {
                lines.by_key.remove(&position.key);
                is_owed.then(|| lines.call_next()).flatten()
            }
        };
        drop(lines);
        wake(called);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn next_ticket(&mut self) -> u64 {
        self.latest_ticket += 1;
        self.latest_ticket
    }

    fn waiting(&mut self, position: &Position) -> Option<&mut Waiting> {
        let line = self.by_key.get_mut(&position.key)?;
        let place = line.place(position.ticket).ok()?;
        line.waiting.get_mut(place)
    }

    /// Calls the oldest of those that are first of a line and did not look since a place got free. So a place that is of no
    /// use to any of them goes round once.
    fn call_next(&mut self) -> Option<Waker> {
        let notified = self.notified;
        let fronts = self.fronts();
        let waiting = fronts.filter(|front| !front.is_called && front.looked_at < notified);
        match waiting.min_by_key(|front| front.ticket) {
            Some(next) => next.call(),
            None => {
                self.free_permits = 0;
                None
            }
        }
    }

    fn fronts(&mut self) -> impl Iterator<Item = &mut Waiting> {
        let lines = self.by_key.values_mut();
        lines.filter_map(|line| line.waiting.front_mut())
    }
}

impl Line {
    fn place(&self, ticket: u64) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&ticket, |it| it.ticket)
    }
}

impl Waiting {
    fn call(&mut self) -> Option<Waker> {
        self.is_called = true;
        self.waker.take()
    }
}

impl Key {
    fn new(query: &Query<'_>, only: Option<usize>) -> Self {
        Self {
            scope: query.scope.to_bits(),
            only,
            excluded: query.excluded(),
        }
    }
}

/// Without the lock: the request that is woken may take it at once.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

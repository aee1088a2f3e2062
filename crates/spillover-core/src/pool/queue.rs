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

/// The queue of a pool: one line for each set of backends and scope, so that no request waits behind another that waits
/// for a different backend.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The number of waiting requests. Usually zero, and then nothing is locked.
    waiting: AtomicUsize,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    latest_ticket: u64,
    /// The number of times that a full backend had a free permit again. The first request of each line tries once for
    /// each.
    notified: u64,
    /// The number of permits of full backends that became free and are not known to be acquired.
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
    /// The waiting requests, by ticket.
    waiting: VecDeque<Waiting>,
    pace: Pace,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    waker: Option<Waker>,
    is_called: bool,
    /// True from the wake-up until the result is reported.
    is_looking: bool,
    /// The value of [`Lines::notified`] when the request tried last.
    looked_at: u64,
}

/// The position of one request. Tickets are unique.
#[derive(Debug)]
pub(super) struct Position {
    key: Key,
    pub(super) ticket: u64,
}

/// Permission of a waiting request to look for a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// The request may look.
    Now,
    /// The request is the first of its line and may look at this instant, because the one before was released just now.
    At(Instant),
    /// The request is not the first of its line.
    Behind,
}

impl Queue {
    /// Returns true if this request would overtake a waiting one.
    pub(super) fn is_waited_for(&self, query: &Query<'_>, only: Option<usize>) -> bool {
        self.waiting.load(Relaxed) != 0 && self.lock().by_key.contains_key(&Key::new(query, only))
    }

    /// Enters a line at the end, or at the request's earlier position.
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
        // The first request looks once more, because a backend may have opened since the failed choice.
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

    /// Wakes the first request of the oldest line, because a full backend has a free permit.
    pub(super) fn notify_free_permit(&self) {
        // Locks even if no request waits: a request that enters now then sees the permit, or is seen here.
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

    /// Records that a request found a backend, and removes it from the queue. `permit` is set if the backend has a
    /// limit, and is true if another permit is free.
    pub(super) fn found(&self, position: &Position, permit: Option<bool>, now: Instant) {
        let mut lines = self.lock();
        if let Some(is_left) = permit {
            // More permits may be free than the queue knows: a backend notifies only if it was full.
            let left = lines.free_permits.saturating_sub(1);
            lines.free_permits = if is_left { left.max(1) } else { 0 };
            if let Some(waiting) = lines.waiting(position) {
                waiting.is_looking = is_left;
            }
        } else if let Some(line) = lines.by_key.get_mut(&position.key) {
            line.pace.count(now);
        }
    }

    /// Records that a request found no backend. Wakes another line if a permit is free.
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

    /// Removes a request. If it was the first of its line, wakes the next one. If the line is then empty and a permit
    /// is still free, wakes another line.
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

    /// Wakes the oldest request that is the first of its line and has not tried since a permit became free. A permit
    /// that no line can use is thus offered once to each.
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

/// Wakes a request. Call this without the lock, because the woken request may lock at once.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

//! The throttled scopes of one backend, with their deadlines and causes.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{Cause, Scope, deadlines::Deadlines, openings::Openings, tick::Tick};
use crate::Cooldown;

/// The throttles of one backend. Deadlines are read without locks. A refusal, which is rare, changes them under a lock,
/// together with the other details.
#[derive(Debug)]
pub(super) struct Throttles {
    /// The latest deadline of all. After it no other needs to be read.
    latest: AtomicU64,
    deadlines: Deadlines,
    /// The tick from which a served request proves something about an entry. Usually never.
    unproven_from: AtomicU64,
    openings: Openings,
    /// The entries. An entry has the slot of its deadline.
    entries: Mutex<Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    scope: Scope,
    until: Tick,
    /// The number of times in a row that the first request after an opening was refused.
    strikes: u32,
    /// The beginning of the request that was the first strike. A success of that request or of a later one ends the
    /// run.
    run_from: Tick,
    /// True if a request that came after the opening was served.
    is_proven: bool,
    /// The first request after the opening before, while its answer is awaited.
    earlier_first: Option<Tick>,
    cause: Cause,
}

/// The time for which a scope is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    /// True if the scope was open before.
    pub(super) was_open: bool,
    pub(super) wait: Duration,
}

impl Throttles {
    /// Returns the deadline until which requests of this scope are refused: the later one of the scope and the whole
    /// backend.
    pub(super) fn until(&self, scope: Scope, now: Tick) -> Option<Tick> {
        if self.latest.load(Relaxed) <= now.get() {
            return None;
        }
        let until = self.deadlines.latest_of(scope);
        until.filter(|&until| until > now)
    }

    /// Returns the number of throttled scopes.
    pub(super) fn count(&self, now: Tick) -> usize {
        if self.latest.load(Relaxed) <= now.get() {
            return 0;
        }
        let entries = self.lock();
        let refused = entries.iter().filter(|entry| entry.until > now);
        refused.count()
    }

    /// Returns the deadline and the cause of the scope that opens last.
    pub(super) fn longest(&self, now: Tick) -> Option<(Tick, Cause)> {
        if self.latest.load(Relaxed) <= now.get() {
            return None;
        }
        let entries = self.lock();
        let refused = entries.iter().filter(|entry| entry.until > now);
        let last = refused.max_by_key(|entry| entry.until)?;
        Some((last.until, last.cause.clone()))
    }

    /// Returns the reason why requests of this scope are refused.
    pub(super) fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        let entries = self.lock();
        let holding = entries
            .iter()
            .filter(|entry| entry.scope.covers(scope) && entry.until > now);
        let last = holding.max_by_key(|entry| entry.until);
        last.map(|entry| entry.cause.clone())
    }

    /// Records the beginning of a request of this scope, which may be the first after an opening.
    pub(super) fn begin(&self, scope: Scope, begun: Tick) {
        if self.openings.is_any_awaited() {
            self.note_first(scope, begun);
        }
    }

    #[cold]
    fn note_first(&self, scope: Scope, begun: Tick) {
        for slot in self.openings.awaited() {
            let Some(until) = self.deadlines.of_slot(slot, scope) else {
                continue;
            };
            if until.after(MEMORY) <= begun {
                self.openings.forget(slot);
            } else if until <= begun {
                self.openings.record(slot, begun);
            }
        }
    }

    /// Closes the scope because of a request that began at `begun`. Deadlines merge by maximum.
    ///
    /// If the first request after an opening is refused, the backend states waits that are too short, and the floor
    /// doubles. For example, a backend that always says 50 ms and means 10 s is closed for 100, 200, 400 ms and so on.
    pub(super) fn close(
        &self,
        scope: Scope,
        cooldown: &Cooldown,
        cause: Cause,
        begun: Tick,
        now: Tick,
    ) -> Closed {
        let mut entries = self.lock();
        let (slot, before) = find_slot(&entries, scope, now);
        let was_open = before.is_none_or(|before| before.until <= now);
        let is_strike = before.is_some_and(|before| self.is_first(slot, before, begun));
        let (strikes, run_from) = match before {
            Some(before) if is_strike && before.strikes == 0 => (1, begun),
            Some(before) => (before.strikes + u32::from(is_strike), before.run_from),
            None => (0, now),
        };
        let floor = least_wait(strikes).min(cooldown.cap());
        let until = now.after(cooldown.duration().max(floor));
        let (until, cause) = match before {
            Some(before) if before.until > until => (before.until, before.cause.clone()),
            _ => (until, cause),
        };
        let earlier_first = before.and_then(|before| before.earlier_first);
        let opened_at = before.map(|before| before.until);

        self.deadlines.set(slot, scope, until);
        self.latest.fetch_max(until.get(), Relaxed);
        let first = if was_open {
            let first = self.openings.expect(slot);
            first.filter(|&first| opened_at.is_some_and(|opened_at| first >= opened_at))
        } else {
            earlier_first
        };
        let entry = Entry {
            scope,
            until,
            strikes,
            run_from,
            is_proven: false,
            earlier_first: first.filter(|&first| first != begun),
            cause,
        };
        match entries.get_mut(slot) {
            Some(held) => *held = entry,
            None => entries.push(entry),
        }
        self.note_unproven(&entries);
        Closed {
            was_open,
            wait: now.until(until.get()),
        }
    }

    /// Returns true if a request that began at `begun` was the first after the scope had opened, and no other was
    /// served since.
    pub(super) fn is_unproven(&self, scope: Scope, begun: Tick, now: Tick) -> bool {
        let entries = self.lock();
        let mut entries = entries.iter().enumerate();
        entries.any(|(slot, entry)| {
            entry.scope == scope
                && !entry.is_proven
                && !entry.is_over(now)
                && self.is_first(slot, entry, begun)
        })
    }

    /// Records that a request of this scope, which began at `begun`, was served. If the scope had opened before, the
    /// stated wait was right. If the request began in a run of strikes, the run is over.
    pub(super) fn served(&self, scope: Scope, begun: Tick) {
        if begun.get() < self.unproven_from.load(Relaxed) {
            return;
        }
        let mut entries = self.lock();
        for (slot, entry) in entries.iter_mut().enumerate() {
            let is_same = entry.scope == scope;
            if is_same && entry.run_from <= begun {
                entry.strikes = 0;
            }
            if is_same && entry.until <= begun || !entry.is_proven && entry.is_over(begun) {
                entry.is_proven = true;
                entry.earlier_first = None;
                self.openings.forget(slot);
            }
        }
        self.note_unproven(&entries);
    }

    /// Returns true if a request was the first after the opening of this entry, or after the opening before.
    fn is_first(&self, slot: usize, entry: &Entry, begun: Tick) -> bool {
        let is_first = begun >= entry.until && self.openings.is_first(slot, begun);
        is_first || entry.earlier_first == Some(begun)
    }

    fn note_unproven(&self, entries: &[Entry]) {
        let unproven = entries.iter().filter(|entry| !entry.is_proven);
        let from = unproven.map(|entry| entry.proven_from().get()).min();
        self.unproven_from.store(from.unwrap_or(u64::MAX), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        // An entry is replaced as a whole, so that a panic leaves no half-written one.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Returns the tick from which a served request proves something about the entry.
    fn proven_from(&self) -> Tick {
        if self.strikes > 0 {
            self.run_from.min(self.until)
        } else {
            self.until
        }
    }

    /// Returns true if the entry no longer says anything about the next wait.
    fn is_over(&self, now: Tick) -> bool {
        let memory = if self.is_proven {
            Duration::ZERO
        } else {
            MEMORY
        };
        self.until.after(memory) <= now
    }
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            latest: AtomicU64::new(0),
            deadlines: Deadlines::default(),
            unproven_from: AtomicU64::new(u64::MAX),
            openings: Openings::default(),
            entries: Mutex::default(),
        }
    }
}

/// Returns the slot for the scope: that of its entry, of an entry that is over, a new one, or that of the entry that
/// opens first. The entry is returned if it still says something about the next wait.
fn find_slot(entries: &[Entry], scope: Scope, now: Tick) -> (usize, Option<&Entry>) {
    let known = entries.iter().position(|entry| entry.scope == scope);
    if let Some(slot) = known {
        let entry = &entries[slot];
        return (slot, (!entry.is_over(now)).then_some(entry));
    }
    let free = entries.iter().position(|entry| entry.is_over(now));
    let slot = match free {
        Some(slot) => slot,
        None if entries.len() < Deadlines::CAPACITY => entries.len(),
        None => {
            let opens_first = entries.iter().enumerate().min_by_key(|(_, e)| e.until);
            opens_first.map_or(0, |(slot, _)| slot)
        }
    };
    (slot, None)
}

fn least_wait(strikes: u32) -> Duration {
    Cooldown::FLOOR.saturating_mul(1 << strikes.min(MAX_DOUBLINGS))
}

/// The most doublings of the floor: 100 ms become 51.2 s. Beyond that the cap decides.
const MAX_DOUBLINGS: u32 = 9;

/// The time after its end for which a throttle is remembered. A refusal within this time follows on an obeyed wait.
const MEMORY: Duration = Duration::from_secs(5);

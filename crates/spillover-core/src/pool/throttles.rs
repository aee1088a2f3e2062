//! Which scopes of one backend are throttled, until when and why.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{Cause, Scope, deadlines::Deadlines, tick::Tick};
use crate::Cooldown;

/// The deadlines are read without locks. A refusal, which is rare, changes them under one, with what else is known.
#[derive(Debug)]
pub(super) struct Throttles {
    /// The latest deadline of all: after it none needs to be looked at.
    latest: AtomicU64,
    deadlines: Deadlines,
    /// From when on a served request would tell something about an entry; the usual case is never.
    unproven_from: AtomicU64,
    /// An entry has the place of its deadline, and keeps it.
    entries: Mutex<Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    scope: Scope,
    until: Tick,
    /// How often in a row the scope was refused right after it had opened.
    strikes: u32,
    /// Whether a request that came after it had opened was served.
    is_proven: bool,
    cause: Cause,
}

impl Throttles {
    /// Until when requests of this scope are refused: the later of what holds for the scope and for the whole backend.
    pub(super) fn until(&self, scope: Scope, now: Tick) -> Option<Tick> {
        if self.latest.load(Relaxed) <= now.get() {
            return None;
        }
        let until = self.deadlines.latest_of(scope);
        until.filter(|&until| until > now)
    }

    /// How many scopes are refused, apart from others.
    pub(super) fn count(&self, now: Tick) -> usize {
        if self.latest.load(Relaxed) <= now.get() {
            return 0;
        }
        let entries = self.lock();
        let refused = entries.iter().filter(|entry| entry.until > now);
        refused.count()
    }

    /// Until when and why the scope is refused that opens last.
    pub(super) fn longest(&self, now: Tick) -> Option<(Tick, Cause)> {
        if self.latest.load(Relaxed) <= now.get() {
            return None;
        }
        let entries = self.lock();
        let refused = entries.iter().filter(|entry| entry.until > now);
        let last = refused.max_by_key(|entry| entry.until)?;
        Some((last.until, last.cause.clone()))
    }

    /// Why requests of this scope are refused.
    pub(super) fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        let entries = self.lock();
        let holding = entries
            .iter()
            .filter(|entry| entry.scope.covers(scope) && entry.until > now);
        let last = holding.max_by_key(|entry| entry.until);
        last.map(|entry| entry.cause.clone())
    }

    /// Closes the scope because of a request that began at `begun`; tells whether it was open. Deadlines merge by maximum.
    ///
    /// A scope that is refused right after it had opened is told waits that are too short: each time the least wait
    /// doubles.
    pub(super) fn close(
        &self,
        scope: Scope,
        cooldown: &Cooldown,
        cause: Cause,
        begun: Tick,
        now: Tick,
    ) -> bool {
        let mut entries = self.lock();
        let (place, before) = find_place(&entries, scope, now);
        let was_open = before.is_none_or(|before| before.until <= now);
        let strikes = match before {
            Some(before) if was_open && begun >= before.until => before.strikes + 1,
            Some(before) if !was_open => before.strikes,
            _ => 0,
        };
        let floor = least_wait(strikes).min(cooldown.cap());
        let until = now.after(cooldown.duration().max(floor));
        let entry = match before {
            Some(before) if before.until > until => Entry {
                strikes,
                ..before.clone()
            },
            _ => Entry {
                scope,
                until,
                strikes,
                is_proven: false,
                cause,
            },
        };

        self.deadlines.set(place, scope, entry.until);
        self.latest.fetch_max(entry.until.get(), Relaxed);
        match entries.get_mut(place) {
            Some(held) => *held = entry,
            None => entries.push(entry),
        }
        self.note_unproven(&entries);
        was_open
    }

    /// Whether a request that began at `begun` came after the scope had opened, and nobody was served since.
    pub(super) fn is_unproven(&self, scope: Scope, begun: Tick, now: Tick) -> bool {
        let entries = self.lock();
        let mut entries = entries.iter();
        entries.any(|entry| {
            entry.scope == scope && !entry.is_proven && !entry.is_over(now) && begun >= entry.until
        })
    }

    /// Notes that a request of this scope, which began at `begun`, was served: if that was after the scope had opened, the
    /// wait it was told was no lie.
    pub(super) fn served(&self, scope: Scope, begun: Tick) {
        if begun.get() < self.unproven_from.load(Relaxed) {
            return;
        }
        let mut entries = self.lock();
        for entry in entries.iter_mut() {
            let is_proof = entry.scope == scope && entry.until <= begun;
            entry.is_proven |= is_proof || entry.is_over(begun);
        }
        self.note_unproven(&entries);
    }

    fn note_unproven(&self, entries: &[Entry]) {
        let unproven = entries.iter().filter(|entry| !entry.is_proven);
        let from = unproven.map(|entry| entry.until.get()).min();
        self.unproven_from.store(from.unwrap_or(u64::MAX), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        // An entry is replaced as a whole: a panic leaves none half-done.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Whether it no longer says anything about the next wait.
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
            entries: Mutex::default(),
        }
    }
}

/// The place of the scope's entry, with that entry if it still says something about the next wait; else that of one which does not, a new one,
/// or that of the entry which opens first.
fn find_place(entries: &[Entry], scope: Scope, now: Tick) -> (usize, Option<&Entry>) {
    let known = entries.iter().position(|entry| entry.scope == scope);
    if let Some(place) = known {
        let entry = &entries[place];
        return (place, (!entry.is_over(now)).then_some(entry));
    }
    let free = entries.iter().position(|entry| entry.is_over(now));
    let place = match free {
        Some(place) => place,
        None if entries.len() < Deadlines::CAPACITY => entries.len(),
        None => {
            let opens_first = entries.iter().enumerate().min_by_key(|(_, e)| e.until);
            opens_first.map_or(0, |(place, _)| place)
        }
    };
    (place, None)
}

fn least_wait(strikes: u32) -> Duration {
    Cooldown::FLOOR.saturating_mul(1 << strikes.min(MAX_DOUBLINGS))
}

/// 100 ms become 51.2 s: beyond that the cap decides.
const MAX_DOUBLINGS: u32 = 9;

/// How long after its end a throttle is remembered: a refusal within it is one right after obeying.
const MEMORY: Duration = Duration::from_secs(5);

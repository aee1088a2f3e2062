//! Which scopes of one backend are throttled, until when and why.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;

use super::{Cause, Scope, tick::Tick};
use crate::Cooldown;

/// Read without locks, and in the usual case by one load: nothing is throttled. A refusal, which is rare, replaces the
/// table under a lock.
#[derive(Debug, Default)]
pub(super) struct Throttles {
    /// The latest deadline of all entries: after it none needs to be looked at.
    latest: AtomicU64,
    table: ArcSwapOption<Vec<Entry>>,
    write: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Entry {
    scope: Scope,
    until: Tick,
    /// How often in a row the scope was refused right after it had opened.
    strikes: u32,
    cause: Cause,
}

impl Throttles {
    /// Until when requests of this scope are refused: the later of what holds for the scope and for the whole backend.
    pub(super) fn until(&self, scope: Scope, now: Tick) -> Option<Tick> {
        if self.latest.load(Relaxed) <= now.get() {
            return None;
        }
        let table = self.table.load();
        let entries = table.as_deref()?.iter();
        entries
            .filter(|entry| entry.covers(scope) && entry.until > now)
            .map(|entry| entry.until)
            .max()
    }

    /// Why requests of this scope are refused.
    pub(super) fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        let table = self.table.load();
        let entries = table.as_deref()?.iter();
        entries
            .filter(|entry| entry.covers(scope) && entry.until > now)
            .max_by_key(|entry| entry.until)
            .map(|entry| entry.cause.clone())
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
        let _guard = self.write.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = self.copy(now);
        let position = table.iter().position(|entry| entry.scope == scope);
        let mut entry = match position {
            Some(index) => table.swap_remove(index),
            None => Entry {
                scope,
                until: Tick::FIRST,
                strikes: 0,
                cause: cause.clone(),
            },
        };

        let was_open = entry.until <= now;
        if position.is_some() && was_open && begun >= entry.until {
            entry.strikes += 1;
        }
        let floor = least_wait(entry.strikes).min(cooldown.cap());
        let until = now.after(cooldown.duration().max(floor));
        if until >= entry.until {
            entry.until = until;
            entry.cause = cause;
        }
        if table.len() >= MAX_SCOPES {
            make_room(&mut table);
        }
        table.push(entry);
        self.replace(table);
        was_open
    }

    /// Notes that a request of this scope, which began at `begun`, was served: if that was after the scope had opened, the
    /// wait it was told was no lie.
    pub(super) fn served(&self, scope: Scope, begun: Tick) {
        let is_cleared =
            |entry: &Entry| entry.strikes > 0 && entry.scope == scope && entry.until <= begun;
        // In the usual case there are no strikes to clear, and no table.
        match self.table.load().as_deref() {
            Some(table) if table.iter().any(is_cleared) => {}
            _ => return,
        }
        let _guard = self.write.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = self.copy(begun);
        table.retain(|entry| !is_cleared(entry));
        self.replace(table);
    }

    /// The entries that still say something at `now`.
    fn copy(&self, now: Tick) -> Vec<Entry> {
        let keep = |entry: &&Entry| entry.until.after(MEMORY) > now;
        match self.table.load().as_deref() {
            Some(table) => table.iter().filter(keep).cloned().collect(),
            None => Vec::new(),
        }
    }

    fn replace(&self, table: Vec<Entry>) {
        let latest = table.iter().map(|entry| entry.until.get()).max();
        self.table
            .store((!table.is_empty()).then(|| Arc::new(table)));
        self.latest.store(latest.unwrap_or(0), Relaxed);
    }
}

impl Entry {
    fn covers(&self, scope: Scope) -> bool {
        self.scope == scope || self.scope == Scope::WHOLE
    }
}

/// Lets go of the entry that is over first.
fn make_room(table: &mut Vec<Entry>) {
    let entries = table.iter().enumerate();
    if let Some((index, _)) = entries.min_by_key(|(_, entry)| entry.until) {
        table.swap_remove(index);
    }
}

fn least_wait(strikes: u32) -> Duration {
    Cooldown::FLOOR.saturating_mul(1 << strikes.min(MAX_DOUBLINGS))
}

/// 100 ms become 51.2 s: beyond that the cap decides.
const MAX_DOUBLINGS: u32 = 9;

/// How long after its end a throttle is remembered: a refusal within it is one right after obeying.
const MEMORY: Duration = Duration::from_secs(5);

/// Scopes come from clients, so their number has a bound. Deployments of one resource are a few dozen at most.
const MAX_SCOPES: usize = 64;

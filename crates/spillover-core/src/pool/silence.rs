//! The scopes of one backend that get no responses, judged by the attempts that were given up.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::Ordering::{Acquire, Relaxed, Release},
    },
    time::Duration,
};

use super::{
    Scope,
    sync::{AtomicU64, AtomicUsize},
    tick::Tick,
};

/// Consecutive attempts at a backend that were given up before it began a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    attempts: u32,
    lasting: Duration,
}

impl Silence {
    /// Returns the number of consecutive attempts that were given up.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the time since the first of these attempts began.
    #[must_use]
    pub fn lasting(&self) -> Duration {
        self.lasting
    }
}

/// The runs of consecutive attempts that were given up, per scope. Reads take no lock. An attempt that is given up,
/// which is rare, takes one.
#[derive(Debug)]
pub(super) struct Silences {
    /// The number of scopes that have a run. Usually zero, and then nothing else is read.
    runs: AtomicUsize,
    /// Boxed, so that the fields of a backend that every request reads stay on one cache line.
    kept: Box<Kept>,
}

#[derive(Debug)]
struct Kept {
    slots: [Slot; CAPACITY],
    /// A run has the slot of its state.
    held: Mutex<[Option<Run>; CAPACITY]>,
}

#[derive(Debug, Default)]
struct Slot {
    scope: AtomicU64,
    /// [`NO_RUN`], [`SHORT_RUN`], or the tick from which one request may probe.
    state: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    scope: Scope,
    attempts: u32,
    /// The beginning of the first attempt of the run.
    since: Tick,
    /// The end of the latest attempt of the run.
    latest: Tick,
}

/// The state of a scope of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No attempt is known that was given up since the latest response.
    Answers,
    /// The latest attempts were given up, but too few to suspect the backend.
    Doubted,
    /// Suspect, and the deadline is over: the request that moves it on is the probe.
    ProbeDue(u64),
    /// Suspect, and probed by another request or not due.
    Suspect(u64),
}

impl Silences {
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.runs.load(Relaxed) != 0
    }

    pub(super) fn standing(&self, scope: Scope, now: Tick) -> Standing {
        if !self.is_any() {
            return Standing::Answers;
        }
        match self.slot(scope).map_or(NO_RUN, |(_, state)| state) {
            NO_RUN => Standing::Answers,
            SHORT_RUN => Standing::Doubted,
            due if due <= now.get() => Standing::ProbeDue(due),
            due => Standing::Suspect(due),
        }
    }

    /// Takes the due probe and returns its lease. Returns `None` if another request took it first.
    pub(super) fn take_probe(&self, scope: Scope, due: u64, now: Tick) -> Option<u64> {
        let lease = now.after(PROBE_LEASE).get();
        self.replace(scope, due, lease).then_some(lease)
    }

    /// Releases a probe without a result, so that the next request may probe. Does nothing without a lease.
    pub(super) fn release(&self, scope: Scope, lease: u64, now: Tick) {
        if lease == NO_RUN {
            return;
        }
        self.replace(scope, lease, now.get());
    }

    /// Records that a response began. Returns true if the backend was suspect.
    pub(super) fn answered(&self, scope: Scope) -> bool {
        // A run of another scope may last for long. A response for this scope takes no lock because of it.
        if !self.is_any() || self.slot(scope).is_none() {
            return false;
        }
        let mut held = self.lock();
        let Some(slot) = slot_of(&held, scope) else {
            return false;
        };
        held[slot] = None;
        self.runs.fetch_sub(1, Relaxed);
        let state = self.kept.slots[slot].state.swap(NO_RUN, Release);
        state > SHORT_RUN
    }

    /// Records an attempt that was given up before a response began. Returns the silence if that makes the backend
    /// suspect.
    pub(super) fn given_up(&self, scope: Scope, begun: Tick, now: Tick) -> Option<Silence> {
        let mut held = self.lock();
        let known = slot_of(&held, scope);
        let slot = known.unwrap_or_else(|| free_slot(&held));
        let run = match held[slot] {
            Some(run) if run.scope == scope => Run {
                attempts: run.attempts.saturating_add(1),
                since: run.since.min(begun),
                latest: now,
                ..run
            },
            before => {
                self.runs.fetch_add(usize::from(before.is_none()), Relaxed);
                Run {
                    scope,
                    attempts: 1,
                    since: begun,
                    latest: now,
                }
            }
        };
        held[slot] = Some(run);
        let state = if run.attempts < SUSPECT_FROM {
            SHORT_RUN
        } else {
            now.after(PROBE_AFTER).get()
        };
        self.kept.slots[slot].set(scope, state);
        (run.attempts == SUSPECT_FROM).then(|| run.silence(now))
    }

    /// Returns the number of scopes for which the backend is suspect, and the longest silence of these.
    pub(super) fn suspect(&self, now: Tick) -> (usize, Option<Silence>) {
        if !self.is_any() {
            return (0, None);
        }
        let held = self.lock();
        let suspect = held.iter().flatten();
        let suspect = suspect.filter(|run| run.attempts >= SUSPECT_FROM);
        let longest = suspect.clone().min_by_key(|run| run.since);
        (suspect.count(), longest.map(|run| run.silence(now)))
    }

    /// Returns the time until a request may probe, if the backend is suspect.
    pub(super) fn suspect_for(&self, scope: Scope, now: Tick) -> Option<Duration> {
        match self.standing(scope, now) {
            Standing::Answers | Standing::Doubted => None,
            Standing::ProbeDue(due) | Standing::Suspect(due) => Some(now.until(due)),
        }
    }

    fn slot(&self, scope: Scope) -> Option<(&Slot, u64)> {
        self.kept.slots.iter().find_map(|slot| {
            let state = slot.state_of(scope)?;
            Some((slot, state))
        })
    }

    fn replace(&self, scope: Scope, seen: u64, new: u64) -> bool {
        self.slot(scope).is_some_and(|(slot, _)| {
            let replaced = slot.state.compare_exchange(seen, new, Relaxed, Relaxed);
            replaced.is_ok()
        })
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Run>; CAPACITY]> {
        // A run is replaced as a whole, so that a panic leaves no half-written one.
        self.kept
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn set(&self, scope: Scope, state: u64) {
        let scope = scope.to_bits();
        if self.scope.load(Relaxed) != scope {
            // A reader that sees the new scope does not see the state of the old one.
            self.state.store(NO_RUN, Relaxed);
            self.scope.store(scope, Release);
        }
        self.state.store(state, Release);
    }

    /// Returns the state, if there is a run of this scope.
    fn state_of(&self, scope: Scope) -> Option<u64> {
        let is_held = || self.scope.load(Acquire) == scope.to_bits();
        let state = is_held().then(|| self.state.load(Acquire))?;
        // The slot may have been given to another scope in between.
        (state != NO_RUN && is_held()).then_some(state)
    }
}

impl Run {
    fn silence(&self, now: Tick) -> Silence {
        Silence {
            attempts: self.attempts,
            lasting: self.since.until(now.get()),
        }
    }
}

impl Default for Silences {
    fn default() -> Self {
        Self {
            runs: AtomicUsize::new(0),
            kept: Box::new(Kept {
                slots: std::array::from_fn(|_| Slot::default()),
                held: Mutex::new([None; CAPACITY]),
            }),
        }
    }
}

fn slot_of(held: &[Option<Run>; CAPACITY], scope: Scope) -> Option<usize> {
    let mut runs = held.iter();
    runs.position(|run| run.is_some_and(|run| run.scope == scope))
}

/// Returns a slot without a run, else the slot of the run that ended first.
fn free_slot(held: &[Option<Run>; CAPACITY]) -> usize {
    let slots = held.iter().enumerate();
    let oldest = slots.min_by_key(|(_, run)| run.map(|run| run.latest));
    oldest.map_or(0, |(slot, _)| slot)
}

/// The shortest attempt that counts. Shorter ones say nothing: an editor gives up completions at each key, and a hedge
/// gives up the slower attempt.
pub(super) const LEAST_SILENCE: Duration = Duration::from_millis(500);

/// The number of attempts in a row that make the backend suspect. A user who presses "stop" twice does not.
const SUSPECT_FROM: u32 = 3;

/// The time from the latest attempt that was given up to the probe, as with a backend that failed.
const PROBE_AFTER: Duration = Duration::from_secs(10);

/// The time for which a probe keeps other requests off. Afterwards a second one probes, if the first got no answer.
const PROBE_LEASE: Duration = Duration::from_secs(10);

/// Scopes come from clients, so their number has a bound.
const CAPACITY: usize = 32;

const NO_RUN: u64 = 0;
/// No tick is so small.
const SHORT_RUN: u64 = 1;

//! Every interleaving of the threads that fight over one backend, by the model checker `loom`.
//!
//! The source of the crate is compiled here, with loom's atomics in place of the real ones.

#![expect(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the modules are those of the crate, of which this test needs a part"
)]

use std::{num::NonZeroU32, time::Duration};

use loom::{sync::Arc, thread};
use tokio::time::Instant;

use self::{
    deadlines::Deadlines,
    failing::{Failing, FailingState},
    in_flight::InFlight,
    openings::Openings,
    scope::Scope,
    silence::{Silences, Standing},
    tick::Tick,
};

#[path = "../src/pool/deadlines.rs"]
mod deadlines;
#[path = "../src/pool/failing.rs"]
mod failing;
#[path = "../src/pool/in_flight.rs"]
mod in_flight;
#[path = "../src/pool/model_in_path.rs"]
mod model_in_path;
#[path = "../src/pool/openings.rs"]
mod openings;
#[path = "../src/pool/scope.rs"]
mod scope;
#[path = "../src/pool/silence.rs"]
mod silence;
#[path = "../src/pool/tick.rs"]
mod tick;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
}

use spillover_core::Credential;

/// As in the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    Closed,
    Opened,
}

const SECOND: Duration = Duration::from_secs(1);

fn start() -> Tick {
    let origin = Instant::now();
    Tick::new(origin, origin)
}

/// A backend that failed, and whose cooldown is over at the returned tick.
fn failed() -> (Arc<Failing>, Tick) {
    let failing = Arc::new(Failing::default());
    let due = start().after(SECOND);
    failing.failed(FailingState::Works, due);
    (failing, due)
}

fn take(failing: &Failing, now: Tick) -> Option<FailingState> {
    failing.try_acquire(failing.state(now), now)
}

fn is_probe(taken: Option<FailingState>) -> bool {
    matches!(taken, Some(FailingState::Probe(_)))
}

#[test]
fn one_of_three_requests_gets_the_probe() {
    loom::model(|| {
        let (failing, due) = failed();
        let ask = |failing: Arc<Failing>| move || is_probe(take(&failing, due));
        let threads = [0, 1].map(|_| thread::spawn(ask(Arc::clone(&failing))));
        let mine = ask(failing)();
        let probes = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .chain([mine])
            .filter(|&is_probe| is_probe)
            .count();
        assert_eq!(probes, 1);
    });
}

#[test]
fn failure_is_not_undone_by_a_success_that_began_before_it() {
    loom::model(|| {
        let failing = Arc::new(Failing::default());
        let now = start();
        let early = take(&failing, now).unwrap();
        let other = Arc::clone(&failing);
        let failure = thread::spawn(move || {
            other.failed(FailingState::Works, now.after(SECOND));
        });
        failing.answered(early);
        failure.join().unwrap();
        assert!(matches!(failing.state(now), FailingState::Fails(_)));
    });
}

#[test]
fn late_success_of_one_probe_does_not_hide_the_failure_of_the_next() {
    loom::model(|| {
        let (failing, due) = failed();
        let late = take(&failing, due).unwrap();
        let later = due.after(SECOND * 10);
        let other = Arc::clone(&failing);
        let second = thread::spawn(move || {
            let taken = take(&other, later);
            if let Some(probe @ FailingState::Probe(_)) = taken {
                other.failed(probe, later.after(SECOND));
                return true;
            }
            false
        });
        failing.answered(late);
        let has_failed = second.join().unwrap();
        assert_ne!(has_failed, failing.state(later) == FailingState::Works);
    });
}

#[test]
fn later_of_two_deadlines_stays() {
    loom::model(|| {
        let failing = Arc::new(Failing::default());
        let now = start();
        let other = Arc::clone(&failing);
        let long = thread::spawn(move || {
            other.failed(FailingState::Works, now.after(SECOND * 2));
        });
        failing.failed(FailingState::Works, now.after(SECOND));
        long.join().unwrap();
        assert_eq!(failing.closed_for(now), SECOND * 2);
    });
}

#[test]
fn cancelled_probe_leaves_the_probe_to_another_request() {
    loom::model(|| {
        let (failing, due) = failed();
        let cancelled = take(&failing, due).unwrap();
        let other = Arc::clone(&failing);
        let next = thread::spawn(move || is_probe(take(&other, due)));
        failing.release(cancelled, due);
        let got_it = next.join().unwrap();
        assert_ne!(got_it, is_probe(take(&failing, due)));
    });
}

#[test]
fn reader_never_sees_the_deadline_of_another_scope() {
    loom::model(|| {
        let [one, two] = ["one", "two"].map(Scope::named);
        let (short, long) = (start().after(SECOND), start().after(SECOND * 60));
        let deadlines = Arc::new(Deadlines::default());
        deadlines.set(0, one, short);
        let writer = Arc::clone(&deadlines);
        let writer = thread::spawn(move || writer.set(0, two, long));
        assert!(deadlines.latest_of(one).is_none_or(|seen| seen == short));
        assert!(deadlines.latest_of(two).is_none_or(|seen| seen == long));
        writer.join().unwrap();
        assert_eq!(deadlines.latest_of(one), None);
        assert_eq!(deadlines.latest_of(two), Some(long));
    });
}

#[test]
fn deadline_that_is_moved_on_is_seen_at_any_time() {
    loom::model(|| {
        let scope = Scope::named("one");
        let (first, second) = (start().after(SECOND), start().after(SECOND * 2));
        let deadlines = Arc::new(Deadlines::default());
        deadlines.set(0, scope, first);
        let writer = Arc::clone(&deadlines);
        let writer = thread::spawn(move || {
            writer.set(0, scope, second);
            writer.set(1, Scope::named("other"), second);
        });
        assert!(deadlines.latest_of(scope).is_some_and(|seen| seen >= first));
        writer.join().unwrap();
        assert_eq!(deadlines.latest_of(scope), Some(second));
    });
}

const MAX: Option<NonZeroU32> = NonZeroU32::new(2);

/// A backend that takes two requests at a time, and has one.
fn half_full() -> Arc<InFlight> {
    let in_flight = Arc::new(InFlight::default());
    in_flight.set_least_limit(MAX);
    assert!(in_flight.acquire(MAX).is_some());
    in_flight
}

#[test]
fn one_of_three_requests_gets_the_last_permit() {
    loom::model(|| {
        let in_flight = half_full();
        let ask = |in_flight: Arc<InFlight>| move || in_flight.acquire(MAX).is_some();
        let threads = [0, 1].map(|_| thread::spawn(ask(Arc::clone(&in_flight))));
        let mine = ask(Arc::clone(&in_flight))();
        let places = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .chain([mine])
            .filter(|&has_place| has_place)
            .count();
        assert_eq!((places, in_flight.count()), (1, 2));
    });
}

#[test]
fn place_is_given_back_once() {
    loom::model(|| {
        let in_flight = half_full();
        let place = Arc::new(in_flight.acquire(MAX).unwrap());
        let leave = |in_flight: Arc<InFlight>| {
            let place = Arc::clone(&place);
            move || in_flight.release(&place)
        };
        let threads = [0, 1].map(|_| thread::spawn(leave(Arc::clone(&in_flight))));
        let mine = leave(Arc::clone(&in_flight))();
        let told: Vec<u32> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .chain([mine])
            .flatten()
            .collect();
        assert_eq!((told, in_flight.count()), (vec![2], 1));
    });
}

#[test]
fn place_that_was_missed_is_told_of() {
    loom::model(|| {
        let in_flight = half_full();
        let place = in_flight.acquire(MAX).unwrap();
        let other = Arc::clone(&in_flight);
        let leaver = thread::spawn(move || other.release(&place));
        let is_missed = in_flight.acquire(MAX).is_none();
        let is_told = leaver.join().unwrap().is_some();
        assert!(is_told || !is_missed);
        assert_eq!(in_flight.count(), if is_missed { 1 } else { 2 });
    });
}

#[test]
fn place_that_was_missed_under_a_new_limit_is_told_of() {
    loom::model(|| {
        let in_flight = half_full();
        let place = in_flight.acquire(MAX).unwrap();
        in_flight.set_least_limit(None);
        let other = Arc::clone(&in_flight);
        let leaver = thread::spawn(move || other.release(&place));
        in_flight.set_least_limit(MAX);
        let is_missed = in_flight.acquire(MAX).is_none();
        let is_told = leaver.join().unwrap().is_some();
        assert!(is_told || !is_missed);
        assert_eq!(in_flight.count(), if is_missed { 1 } else { 2 });
    });
}

#[test]
fn one_request_is_the_first_after_an_opening() {
    loom::model(|| {
        let openings = Arc::new(Openings::default());
        openings.expect(0);
        let opened = start();
        let at = move |ms| opened.after(Duration::from_millis(ms));
        let threads = [1, 2].map(|ms| {
            let openings = Arc::clone(&openings);
            thread::spawn(move || openings.record(0, at(ms)))
        });
        openings.record(0, at(3));
        for thread in threads {
            thread.join().unwrap();
        }
        let first = [1, 2, 3].into_iter();
        assert_eq!(first.filter(|&ms| openings.is_first(0, at(ms))).count(), 1);
    });
}

#[test]
fn requests_of_one_instant_are_not_first() {
    loom::model(|| {
        let openings = Arc::new(Openings::default());
        openings.expect(0);
        let now = start();
        let other = Arc::clone(&openings);
        let other = thread::spawn(move || other.record(0, now));
        openings.record(0, now);
        other.join().unwrap();
        openings.record(0, now.after(SECOND));
        assert!(!openings.is_first(0, now) && !openings.is_first(0, now.after(SECOND)));
    });
}

/// A backend that is suspect, and may be probed at the returned tick.
fn suspect(scope: Scope) -> (Arc<Silences>, Tick) {
    let silences = Arc::new(Silences::default());
    let now = start();
    for _ in 0..3 {
        silences.given_up(scope, now, now.after(SECOND));
    }
    (silences, now.after(SECOND * 11))
}

fn take_probe(silences: &Silences, scope: Scope, now: Tick) -> Option<u64> {
    match silences.standing(scope, now) {
        Standing::ProbeDue(due) => silences.take_probe(scope, due, now),
        _ => None,
    }
}

#[test]
fn one_of_two_threads_probes_a_suspect_backend() {
    loom::model(|| {
        let scope = Scope::named("one");
        let (silences, due) = suspect(scope);
        let other = Arc::clone(&silences);
        let other = thread::spawn(move || take_probe(&other, scope, due).is_some());
        let mine = take_probe(&silences, scope, due).is_some();
        assert_ne!(other.join().unwrap(), mine);
    });
}

#[test]
fn answer_beside_a_probe_ends_the_silence() {
    loom::model(|| {
        let scope = Scope::named("one");
        let (silences, due) = suspect(scope);
        let other = Arc::clone(&silences);
        let answer = thread::spawn(move || other.answered(scope));
        let probe = take_probe(&silences, scope, due);
        assert!(answer.join().unwrap());
        if let Some(lease) = probe {
            silences.release(scope, lease, due);
        }
        assert_eq!(silences.standing(scope, due), Standing::Answers);
    });
}

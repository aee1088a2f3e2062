//! Every interleaving of threads that use one backend, explored by the model checker `loom`.
//!
//! The modules of the crate are compiled here with the atomics of loom.

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

/// Stands for `Change` of the crate.
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

/// Creates the state of a failed backend. Its cooldown is over at the returned tick.
fn failed() -> (Arc<Failing>, Tick) {
    let failing = Arc::new(Failing::default());
    let due = start().after(SECOND);
    failing.failed(FailingState::Works, due);
    (failing, due)
}

fn acquire(failing: &Failing, now: Tick) -> Option<FailingState> {
    failing.try_acquire(failing.state(now), now)
}

fn is_probe(taken: Option<FailingState>) -> bool {
    matches!(taken, Some(FailingState::Probe(_)))
}

#[test]
fn one_of_three_requests_gets_the_probe() {
    loom::model(|| {
        let (failing, due) = failed();
        let ask = |failing: Arc<Failing>| move || is_probe(acquire(&failing, due));
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
        let early = acquire(&failing, now).unwrap();
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
fn late_success_of_a_probe_does_not_undo_the_failure_of_the_next() {
    loom::model(|| {
        let (failing, due) = failed();
        let late = acquire(&failing, due).unwrap();
        let later = due.after(SECOND * 10);
        let other = Arc::clone(&failing);
        let second = thread::spawn(move || {
            let taken = acquire(&other, later);
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
fn later_of_two_cooldowns_applies() {
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
fn cancelled_probe_passes_to_another_request() {
    loom::model(|| {
        let (failing, due) = failed();
        let cancelled = acquire(&failing, due).unwrap();
        let other = Arc::clone(&failing);
        let next = thread::spawn(move || is_probe(acquire(&other, due)));
        failing.release(cancelled, due);
        let got_it = next.join().unwrap();
        assert_ne!(got_it, is_probe(acquire(&failing, due)));
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
fn deadline_is_seen_while_it_is_extended() {
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

/// Creates the counter of a backend with one request in flight and a limit of two.
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
        let permits = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .chain([mine])
            .filter(|&has_permit| has_permit)
            .count();
        assert_eq!((permits, in_flight.count()), (1, 2));
    });
}

#[test]
fn permit_is_released_once() {
    loom::model(|| {
        let in_flight = half_full();
        let permit = Arc::new(in_flight.acquire(MAX).unwrap());
        let release = |in_flight: Arc<InFlight>| {
            let permit = Arc::clone(&permit);
            move || in_flight.release(&permit)
        };
        let threads = [0, 1].map(|_| thread::spawn(release(Arc::clone(&in_flight))));
        let mine = release(Arc::clone(&in_flight))();
        let released: Vec<u32> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .chain([mine])
            .flatten()
            .collect();
        assert_eq!((released, in_flight.count()), (vec![2], 1));
    });
}

#[test]
fn release_notifies_a_request_that_missed_the_permit() {
    loom::model(|| {
        let in_flight = half_full();
        let permit = in_flight.acquire(MAX).unwrap();
        let other = Arc::clone(&in_flight);
        let releaser = thread::spawn(move || other.release(&permit));
        let is_missed = in_flight.acquire(MAX).is_none();
        let is_notified = releaser.join().unwrap().is_some();
        assert!(is_notified || !is_missed);
        assert_eq!(in_flight.count(), if is_missed { 1 } else { 2 });
    });
}

#[test]
fn release_notifies_a_request_that_missed_the_permit_under_a_new_limit() {
    loom::model(|| {
        let in_flight = half_full();
        let permit = in_flight.acquire(MAX).unwrap();
        in_flight.set_least_limit(None);
        let other = Arc::clone(&in_flight);
        let releaser = thread::spawn(move || other.release(&permit));
        in_flight.set_least_limit(MAX);
        let is_missed = in_flight.acquire(MAX).is_none();
        let is_notified = releaser.join().unwrap().is_some();
        assert!(is_notified || !is_missed);
        assert_eq!(in_flight.count(), if is_missed { 1 } else { 2 });
    });
}

#[test]
fn one_of_three_requests_is_the_first_after_an_opening() {
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
fn requests_at_the_same_tick_do_not_count_as_first() {
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

/// Creates the state of a suspect backend. Its probe is due at the returned tick.
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
fn response_beside_a_probe_ends_the_silence() {
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

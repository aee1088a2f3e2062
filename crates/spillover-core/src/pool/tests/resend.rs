//! A request that its backend did not process.

use super::*;
use crate::layer::SelectedProtocol;
use crate::{Class, Condition, Cooldown};

fn unprocessed() -> Outcome {
    Outcome::new(Class::Unprocessed, Cooldown::default())
}

/// Chooses for an attempt, and enters the choice.
fn attempt(pool: &Pool, attempts: &Attempts, now: Instant) -> Selected {
    let selected = pool.select(&Query::new().attempts(attempts), now, 0);
    let selected = selected.expect("there is one");
    attempts.mark(selected.index());
    selected
}

/// Makes an attempt that is not processed.
fn lose(pool: &Pool, attempts: &Attempts, now: Instant) -> Selected {
    let selected = attempt(pool, attempts, now);
    selected.record(&unprocessed(), now);
    assert!(attempts.resend(selected.index()));
    selected
}

fn conditions(pool: &Pool, now: Instant) -> Vec<Condition> {
    let snapshots = pool.snapshot(Scope::BACKEND, now).into_iter();
    snapshots.map(|snapshot| snapshot.condition()).collect()
}

#[test]
fn request_goes_to_the_same_backend_once_more() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 1, 1), ("c", 2, 1)]);
    for draw in [0, u64::MAX] {
        let attempts = Attempts::new();
        let first = pool
            .select(&Query::new().attempts(&attempts), now, draw)
            .unwrap();
        attempts.mark(first.index());
        assert!(!first.is_resend());
        first.record(&unprocessed(), now);
        assert!(attempts.resend(first.index()));
        assert!(first.has_candidate(&attempts, now));

        // The other draw: it would be the other backend.
        let second = pool
            .select(&Query::new().attempts(&attempts), now, !draw)
            .unwrap();
        attempts.mark(second.index());
        assert_eq!(second.backend().label(), first.backend().label());
        assert!(second.is_resend());
        assert!(!attempts.resend(second.index()), "once");
        let third = attempt(&pool, &attempts, now);
        assert_ne!(third.backend().label(), first.backend().label());
        assert!(!third.is_resend());
        assert_eq!(attempts.count(), 3);
    }
}

#[test]
fn each_backend_gets_a_request_twice_at_most() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let attempts = Attempts::new();
    let mut labels = Vec::new();
    while let Ok(selected) = pool.select(&Query::new().attempts(&attempts), now, 0) {
        attempts.mark(selected.index());
        labels.push(selected.backend().label().to_owned());
        attempts.resend(selected.index());
    }
    assert_eq!(labels, ["a", "a", "b", "b"]);
}

#[test]
fn nothing_is_held_against_the_backend() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let attempts = Attempts::new();
    lose(&pool, &attempts, now);
    assert_eq!(conditions(&pool, now), [Condition::Open]);
    attempt(&pool, &attempts, now).record(&Outcome::success(), now);

    let counts = pool.snapshot(Scope::BACKEND, now)[0].counts();
    assert_eq!((counts.unprocessed, counts.resent), (1, 1));
    assert_eq!((counts.answered, counts.failed), (1, 0));
}

#[test]
fn backend_that_closed_meanwhile_is_passed_over_while_another_is_open() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let attempts = Attempts::new();
    lose(&pool, &attempts, now);
    throttle(&pool, 0, SECOND, now);
    let second = attempt(&pool, &attempts, now);
    assert_eq!((second.backend().label(), second.is_resend()), ("b", false));

    // No backend is open: the request has been let in already, and goes to the same one again.
    throttle(&pool, 1, SECOND, now);
    let attempts = Attempts::new();
    attempts.mark(0);
    attempts.mark(1);
    attempts.resend(1);
    let again = attempt(&pool, &attempts, now);
    assert_eq!((again.backend().label(), again.is_resend()), ("b", true));
}

#[test]
fn full_backend_is_passed_over() {
    let now = Instant::now();
    let backend = |label: &str| Backend::builder(label).url("http://a").max_concurrency(1);
    let pool = Pool::new([backend("a").build().unwrap(), backend("b").build().unwrap()]).unwrap();
    let attempts = Attempts::new();
    drop(lose(&pool, &attempts, now));
    let other = pool.first(&Query::new(), now).expect("it is not full");
    assert_eq!(other.backend().label(), "a");
    assert_eq!(attempt(&pool, &attempts, now).backend().label(), "b");
}

#[test]
fn probe_that_was_not_processed_is_made_again() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND, now);
    let now = now + SECOND;
    let attempts = Attempts::new();
    assert!(lose(&pool, &attempts, now).is_probe());
    assert_eq!(
        conditions(&pool, now)[0],
        Condition::Failing(Duration::ZERO)
    );

    let second = attempt(&pool, &attempts, now);
    assert_eq!((second.backend().label(), second.is_probe()), ("a", true));
    second.record(&Outcome::success(), now);
    assert_eq!(conditions(&pool, now)[0], Condition::Open);
}

#[test]
fn pinned_request_goes_to_its_backend_once_more() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 1, 1)]);
    let attempts = Attempts::new();
    let query = Query::new().affinity(Affinity::to_backend("b").pinned());
    let select = || pool.select(&query.attempts(&attempts), now, 0);
    let first = select().unwrap();
    attempts.mark(first.index());
    attempts.resend(first.index());
    let second = select().unwrap();
    attempts.mark(second.index());
    assert_eq!((second.backend().label(), second.is_resend()), ("b", true));
    assert!(select().is_err());
}

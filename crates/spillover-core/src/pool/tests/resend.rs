//! Requests that a backend did not process, which are sent to the same backend again.

use super::*;
use crate::layer::SelectedProtocol;
use crate::{Class, Condition, Cooldown};

fn unprocessed() -> Outcome {
    Outcome::new(Class::Unprocessed, Cooldown::default())
}

/// Selects a backend for an attempt, and marks it as tried.
fn attempt(pool: &Pool, attempts: &Attempts, now: Instant) -> Selected {
    let selected = pool.select(&Query::new().attempts(attempts), now, 0);
    let selected = selected.expect("there is one");
    attempts.mark(selected.index());
    selected
}

/// Makes an attempt that its backend does not process.
fn attempt_unprocessed(pool: &Pool, attempts: &Attempts, now: Instant) -> Selected {
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
fn unprocessed_request_is_sent_to_the_same_backend_once_more() {
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

        // By the inverted draw alone, the other backend would be selected.
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
fn unprocessed_request_does_not_close_the_backend() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let attempts = Attempts::new();
    attempt_unprocessed(&pool, &attempts, now);
    assert_eq!(conditions(&pool, now), [Condition::Open]);
    attempt(&pool, &attempts, now).record(&Outcome::success(), now);

    let counts = pool.snapshot(Scope::BACKEND, now)[0].counts();
    assert_eq!((counts.unprocessed, counts.resent), (1, 1));
    assert_eq!((counts.answered, counts.failed), (1, 0));
}

#[test]
fn resend_passes_over_a_closed_backend_while_another_is_open() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let attempts = Attempts::new();
    attempt_unprocessed(&pool, &attempts, now);
    throttle(&pool, 0, SECOND, now);
    let second = attempt(&pool, &attempts, now);
    assert_eq!((second.backend().label(), second.is_resend()), ("b", false));

    // No backend is open: the request was admitted already, so that the same backend gets it again.
    throttle(&pool, 1, SECOND, now);
    let attempts = Attempts::new();
    attempts.mark(0);
    attempts.mark(1);
    attempts.resend(1);
    let again = attempt(&pool, &attempts, now);
    assert_eq!((again.backend().label(), again.is_resend()), ("b", true));
}

#[test]
fn resend_passes_over_a_full_backend() {
    let now = Instant::now();
    let backend = |label: &str| Backend::builder(label).url("http://a").max_concurrency(1);
    let pool = Pool::new([backend("a").build().unwrap(), backend("b").build().unwrap()]).unwrap();
    let attempts = Attempts::new();
    drop(attempt_unprocessed(&pool, &attempts, now));
    let other = pool.first(&Query::new(), now).expect("it is not full");
    assert_eq!(other.backend().label(), "a");
    assert_eq!(attempt(&pool, &attempts, now).backend().label(), "b");
}

#[test]
fn resend_of_an_unprocessed_probe_is_a_probe() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND, now);
    let now = now + SECOND;
    let attempts = Attempts::new();
    assert!(attempt_unprocessed(&pool, &attempts, now).is_probe());
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
fn pinned_request_is_resent_once() {
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

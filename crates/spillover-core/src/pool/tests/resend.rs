//! A request that its backend did not process.

use super::*;
use crate::{Class, Condition, Cooldown};

fn unprocessed() -> Outcome {
    Outcome::new(Class::Unprocessed, Cooldown::default())
}

/// Chooses for an attempt, and enters the choice.
fn attempt(pool: &Pool, tried: &Tried, now: Instant) -> Selected {
    let selected = pool.select(tried, Scope::WHOLE, now, 0);
    let selected = selected.expect("there is one");
    tried.mark(selected.index());
    selected
}

/// Makes an attempt that is not processed.
fn lose(pool: &Pool, tried: &Tried, now: Instant) -> Selected {
    let selected = attempt(pool, tried, now);
    selected.record(&unprocessed(), now);
    assert!(tried.resend(selected.index()));
    selected
}

fn conditions(pool: &Pool, now: Instant) -> Vec<Condition> {
    let snapshots = pool.snapshot(Scope::WHOLE, now).into_iter();
    snapshots.map(|snapshot| snapshot.condition()).collect()
}

#[test]
fn request_goes_to_the_same_backend_once_more() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 1, 1), ("c", 2, 1)]);
    for draw in [0, u64::MAX] {
        let tried = Tried::new();
        let first = pool.select(&tried, Scope::WHOLE, now, draw).unwrap();
        tried.mark(first.index());
        assert!(!first.is_resend());
        first.record(&unprocessed(), now);
        assert!(tried.resend(first.index()));
        assert!(first.has_candidate(&tried, now));

        // The other draw: it would be the other backend.
        let second = pool.select(&tried, Scope::WHOLE, now, !draw).unwrap();
        tried.mark(second.index());
        assert_eq!(second.backend().label(), first.backend().label());
        assert!(second.is_resend());
        assert!(!tried.resend(second.index()), "once");
        let third = attempt(&pool, &tried, now);
        assert_ne!(third.backend().label(), first.backend().label());
        assert!(!third.is_resend());
        assert_eq!(tried.attempts(), 3);
    }
}

#[test]
fn each_backend_gets_a_request_twice_at_most() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let tried = Tried::new();
    let mut labels = Vec::new();
    while let Ok(selected) = pool.select(&tried, Scope::WHOLE, now, 0) {
        tried.mark(selected.index());
        labels.push(selected.backend().label().to_owned());
        tried.resend(selected.index());
    }
    assert_eq!(labels, ["a", "a", "b", "b"]);
}

#[test]
fn nothing_is_held_against_the_backend() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let tried = Tried::new();
    lose(&pool, &tried, now);
    assert_eq!(conditions(&pool, now), [Condition::Open]);
    attempt(&pool, &tried, now).record(&Outcome::success(), now);

    let counts = pool.snapshot(Scope::WHOLE, now)[0].counts();
    assert_eq!((counts.unprocessed, counts.resent), (1, 1));
    assert_eq!((counts.answered, counts.failed), (1, 0));
}

#[test]
fn backend_that_closed_meanwhile_is_passed_over_while_another_is_open() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let tried = Tried::new();
    lose(&pool, &tried, now);
    throttle(&pool, 0, SECOND, now);
    let second = attempt(&pool, &tried, now);
    assert_eq!((second.backend().label(), second.is_resend()), ("b", false));

    // No backend is open: the request has been let in already, and goes to the same one again.
    throttle(&pool, 1, SECOND, now);
    let tried = Tried::new();
    tried.mark(0);
    tried.mark(1);
    tried.resend(1);
    let again = attempt(&pool, &tried, now);
    assert_eq!((again.backend().label(), again.is_resend()), ("b", true));
}

#[test]
fn full_backend_is_passed_over() {
    let now = Instant::now();
    let backend = |label: &str| Backend::builder(label).url("http://a").max_concurrency(1);
    let pool = Pool::new([backend("a").build().unwrap(), backend("b").build().unwrap()]).unwrap();
    let tried = Tried::new();
    drop(lose(&pool, &tried, now));
    let other = pool.first(&Query::new(), now).expect("it is not full");
    assert_eq!(other.backend().label(), "a");
    assert_eq!(attempt(&pool, &tried, now).backend().label(), "b");
}

#[test]
fn probe_that_was_not_processed_is_made_again() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND, now);
    let now = now + SECOND;
    let tried = Tried::new();
    assert!(lose(&pool, &tried, now).is_probe());
    assert_eq!(
        conditions(&pool, now)[0],
        Condition::Failing(Duration::ZERO)
    );

    let second = attempt(&pool, &tried, now);
    assert_eq!((second.backend().label(), second.is_probe()), ("a", true));
    second.record(&Outcome::success(), now);
    assert_eq!(conditions(&pool, now)[0], Condition::Open);
}

#[test]
fn pinned_request_goes_to_its_backend_once_more() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 1, 1)]);
    let tried = Tried::new();
    let query = Query::new().affinity(Affinity::to("b").pinned());
    let select = || pool.select_by(&Weighted::default(), &query.tried(&tried), now, 0);
    let first = select().unwrap();
    tried.mark(first.index());
    tried.resend(first.index());
    let second = select().unwrap();
    tried.mark(second.index());
    assert_eq!((second.backend().label(), second.is_resend()), ("b", true));
    assert!(select().is_err());
}

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::Instant;

use super::*;
use crate::Outcome;

mod affinity;
mod keys;
mod permits;
mod reload;
mod resend;
mod scopes;
mod silence;
mod strikes;
mod waiting;

const SECOND: Duration = Duration::from_secs(1);

/// Creates a pool of backends, given as `(label, priority, weight)`.
fn pool<const N: usize>(backends: [(&str, u32, u32); N]) -> Pool {
    let build = |(label, priority, weight): (&str, u32, u32)| {
        Backend::builder(label)
            .url("http://upstream.example")
            .priority(priority)
            .weight(weight)
            .build()
            .unwrap()
    };
    Pool::new(backends.map(build)).unwrap()
}

fn label(selection: Result<Selected, Exhausted>) -> Result<String, Duration> {
    selection
        .map(|selected| selected.backend().label().to_owned())
        .map_err(|exhausted| exhausted.reopens_in())
}

fn select(pool: &Pool, now: Instant) -> Selected {
    pool.select(&Query::new(), now, 0).expect("one is open")
}

/// Records the outcome of an attempt that began a second ago.
fn record(pool: &Pool, index: usize, outcome: &Outcome, now: Instant) {
    let member = pool.member(index);
    let begun = pool.tick(now.checked_sub(SECOND).unwrap());
    let lease = member.force_acquire(Scope::BACKEND, begun);
    member.state.record(lease, outcome, pool.tick(now));
}

fn throttle(pool: &Pool, index: usize, for_: Duration, now: Instant) {
    record(pool, index, &Outcome::throttled(for_), now);
}

fn fail(pool: &Pool, index: usize, for_: Duration, now: Instant) {
    record(pool, index, &Outcome::failing(for_), now);
}

#[test]
fn pool_refuses_no_backends_duplicate_labels_and_too_many_backends() {
    let backend = |label: &str| Backend::builder(label).url("http://a").build().unwrap();

    assert_eq!(Pool::new([]).unwrap_err(), InvalidPool::Empty);
    assert_eq!(
        Pool::new([backend("a"), backend("b"), backend("a")]).unwrap_err(),
        InvalidPool::DuplicateLabel("a".into())
    );
    let many = |n: usize| Pool::new((0..n).map(|i| backend(&i.to_string())));
    assert!(many(Pool::MAX_BACKENDS).is_ok());
    assert_eq!(
        many(Pool::MAX_BACKENDS + 1).unwrap_err(),
        InvalidPool::TooMany
    );
}

#[test]
fn requests_spill_to_the_next_tier_and_return_when_the_throttle_ends() {
    let now = Instant::now();
    let pool = pool([("c", 3, 1), ("a", 1, 1), ("b", 2, 1)]);

    assert_eq!(label(pool.select(&Query::new(), now, 0)).unwrap(), "a");
    throttle(&pool, 1, SECOND * 5, now);
    assert_eq!(label(pool.select(&Query::new(), now, 0)).unwrap(), "b");
    throttle(&pool, 2, SECOND * 2, now);
    let spill = pool.select(&Query::new(), now, 0).unwrap();
    assert_eq!(spill.backend().label(), "c");
    assert!(spill.is_spill());

    let b_is_back = now + SECOND * 2;
    assert_eq!(
        label(pool.select(&Query::new(), b_is_back, 0)).unwrap(),
        "b"
    );
    let almost = now + SECOND * 5 - Duration::from_nanos(1);
    assert_eq!(label(pool.select(&Query::new(), almost, 0)).unwrap(), "b");
    let a_is_back = now + SECOND * 5;
    let selected = pool.select(&Query::new(), a_is_back, 0).unwrap();
    assert_eq!(selected.backend().label(), "a");
    assert!(!selected.is_spill());
}

#[test]
fn tried_backends_are_excluded() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 1, 1), ("c", 2, 1)]);
    let attempts = Attempts::new();
    let mut seen = Vec::new();
    while let Ok(selected) = pool.select(&Query::new().attempts(&attempts), now, u64::MAX / 2) {
        attempts.mark(selected.index());
        seen.push(selected.backend().label().to_owned());
    }
    seen[..2].sort();
    assert_eq!(seen, ["a", "b", "c"]);
    assert_eq!(attempts.count(), 3);
    assert!(!pool.has_candidate(&Query::new().attempts(&attempts), now));
    // All backends are open: only this request has tried each of them.
    assert_eq!(
        pool.exhausted(&Query::new(), now).reopens_in(),
        Duration::ZERO
    );
}

#[test]
fn longest_throttle_of_a_backend_applies() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let wait = || label(pool.select(&Query::new(), now, 0)).unwrap_err();

    throttle(&pool, 0, SECOND * 5, now);
    throttle(&pool, 0, SECOND * 2, now);
    assert_eq!(wait(), SECOND * 5);
    throttle(&pool, 0, SECOND * 7, now);
    assert_eq!(wait(), SECOND * 7);
}

#[test]
fn success_of_an_earlier_request_does_not_end_a_throttle() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let under_way = select(&pool, now);
    throttle(&pool, 0, SECOND, now);
    under_way.record(&Outcome::success(), now);
    assert_eq!(label(pool.select(&Query::new(), now, 0)), Err(SECOND));
}

#[test]
fn exhausted_states_when_the_first_backend_opens() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1), ("c", 3, 1)]);
    throttle(&pool, 0, SECOND * 9, now);
    throttle(&pool, 1, SECOND * 3, now);
    throttle(&pool, 2, SECOND * 6, now);
    assert_eq!(label(pool.select(&Query::new(), now, 0)), Err(SECOND * 3));
    assert_eq!(
        label(pool.select(&Query::new(), now + SECOND, 0)),
        Err(SECOND * 2)
    );
}

#[test]
fn failing_backend_is_a_last_resort_but_throttled_backend_is_not() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1), ("c", 3, 1)]);
    throttle(&pool, 0, SECOND, now);
    fail(&pool, 1, SECOND * 10, now);
    assert_eq!(label(pool.select(&Query::new(), now, 0)).unwrap(), "c");

    throttle(&pool, 2, SECOND, now);
    let attempts = Attempts::new();
    let last_resort = pool
        .select(&Query::new().attempts(&attempts), now, 0)
        .unwrap();
    assert_eq!(last_resort.backend().label(), "b");
    assert!(!last_resort.is_probe());

    attempts.mark(last_resort.index());
    assert!(!pool.has_candidate(&Query::new().attempts(&attempts), now));
    assert_eq!(
        label(pool.select(&Query::new().attempts(&attempts), now, 0)),
        Err(SECOND)
    );
}

#[test]
fn success_of_a_last_resort_opens_the_backend() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    fail(&pool, 0, SECOND * 10, now);
    select(&pool, now).record(&Outcome::success(), now);
    assert_eq!(
        pool.snapshot(Scope::BACKEND, now)[0].condition(),
        Condition::Open
    );
}

#[test]
fn throttle_takes_precedence_over_failure() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    throttle(&pool, 0, SECOND, now);
    fail(&pool, 0, SECOND * 2, now);
    assert_eq!(
        pool.snapshot(Scope::BACKEND, now)[0].condition(),
        Condition::Throttled(SECOND)
    );
    assert!(pool.select(&Query::new(), now, 0).is_err());
    // The throttle has ended, and the cooldown of the failure has not.
    assert_eq!(
        pool.snapshot(Scope::BACKEND, now + SECOND)[0].condition(),
        Condition::Failing(SECOND)
    );
}

#[test]
fn successful_probe_opens_a_failing_backend() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND * 10, now);
    let due = now + SECOND * 10;

    let probe = select(&pool, due);
    assert!(probe.is_probe());
    assert_eq!(select(&pool, due).backend().label(), "b");

    probe.record(&Outcome::success(), due);
    let open = select(&pool, due);
    assert_eq!(open.backend().label(), "a");
    assert!(!open.is_probe());
}

#[test]
fn failed_probe_closes_the_backend_for_the_cooldown_of_the_probe() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND * 10, now);
    let due = now + SECOND * 10;
    select(&pool, due).record(&Outcome::failing(SECOND * 2), due);
    assert_eq!(select(&pool, due + SECOND).backend().label(), "b");
    assert!(select(&pool, due + SECOND * 2).is_probe());
}

#[test]
fn cancelled_probe_passes_to_the_next_request() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND, now);
    let due = now + SECOND;
    select(&pool, due).cancel(due);
    assert!(select(&pool, due).is_probe());
}

#[test]
fn probe_without_an_outcome_is_replaced_after_ten_seconds() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND, now);
    let due = now + SECOND;
    let lost = select(&pool, due);
    assert_eq!(select(&pool, due + SECOND * 9).backend().label(), "b");
    let second = select(&pool, due + SECOND * 10);
    assert!(second.is_probe());
    // A late outcome of the first probe does not release the lease of the second.
    lost.cancel(due + SECOND * 11);
    assert_eq!(select(&pool, due + SECOND * 11).backend().label(), "b");
}

#[test]
fn probe_that_succeeds_after_its_lease_opens_the_backend() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND, now);
    let due = now + SECOND;
    let slow = select(&pool, due);
    let second = select(&pool, due + SECOND * 10);
    assert!(second.is_probe());

    let answered = due + SECOND * 15;
    assert_eq!(
        slow.record(&Outcome::success(), answered).change(),
        Some(Change::Opened)
    );
    assert_eq!(second.record(&Outcome::success(), answered).change(), None);
    assert_eq!(select(&pool, answered).backend().label(), "a");
}

#[test]
fn probe_that_succeeds_after_its_lease_does_not_undo_a_later_failure() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND, now);
    let due = now + SECOND;
    let slow = select(&pool, due);
    let later = due + SECOND * 10;
    select(&pool, later).record(&Outcome::failing(SECOND), later);
    assert_eq!(slow.record(&Outcome::success(), later).change(), None);
    assert_eq!(select(&pool, later).backend().label(), "b");
}

#[test]
fn success_of_a_request_from_before_the_failure_does_not_open_the_backend() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let under_way = select(&pool, now);
    fail(&pool, 0, SECOND, now);
    under_way.record(&Outcome::success(), now);
    assert_eq!(select(&pool, now).backend().label(), "b");
}

#[test]
fn first_follows_the_order_of_the_list_and_ignores_priorities() {
    let now = Instant::now();
    let pool = pool([("b", 2, 1), ("a", 1, 1)]);
    throttle(&pool, 0, SECOND, now);
    throttle(&pool, 1, SECOND, now);
    let first = pool.first(&Query::new(), now).expect("none is full");
    assert_eq!(first.backend().label(), "b");
}

#[test]
fn draw_is_distributed_by_weight() {
    let now = Instant::now();
    for weights in [[1, 1, 1], [1, 2, 5], [1_000_000, 1, 1_000_000]] {
        let pool = pool([
            ("a", 1, weights[0]),
            ("b", 1, weights[1]),
            ("c", 1, weights[2]),
        ]);
        let mut rng = SmallRng::seed_from_u64(7);
        let mut counts = [0_u32; 3];
        let draws = 60_000;
        for _ in 0..draws {
            let selected = pool.select(&Query::new(), now, rng.random()).unwrap();
            counts[selected.index()] += 1;
        }
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        for (count, weight) in counts.into_iter().zip(weights) {
            let p = f64::from(weight) / total;
            let expected = p * f64::from(draws);
            let sd = (f64::from(draws) * p * (1.0 - p)).sqrt();
            let off = (f64::from(count) - expected).abs();
            assert!(off <= 4.0 * sd + 1.0, "{weights:?}: {counts:?}");
        }
    }
}

#[test]
fn extreme_draws_and_weights_select_a_backend() {
    let now = Instant::now();
    let pool = pool([("a", 1, u32::MAX), ("b", 1, u32::MAX)]);
    let at = |draw| label(pool.select(&Query::new(), now, draw)).unwrap();
    assert_eq!(at(0), "a");
    assert_eq!(at(u64::MAX), "b");
}

#[test]
fn time_before_the_pool_and_longest_cooldown_do_not_overflow() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let before = now.checked_sub(SECOND).unwrap();
    assert!(pool.select(&Query::new(), before, 0).is_ok());
    throttle(&pool, 0, Duration::MAX, now);
    assert!(pool.select(&Query::new(), now, 0).is_err());
}

#[test]
fn one_of_several_threads_gets_the_probe() {
    let now = Instant::now();
    let due = now + SECOND;
    for _ in 0..200 {
        let pool = pool([("a", 1, 1), ("b", 2, 1)]);
        fail(&pool, 0, SECOND, now);
        let probes: usize = std::thread::scope(|scope| {
            let probe = || usize::from(select(&pool, due).is_probe());
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(probe)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(probes, 1);
    }
}

#[test]
fn record_reports_only_closing_and_opening_as_changes() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let throttled = Outcome::throttled(SECOND);
    let failing = Outcome::failing(SECOND);
    let open = select(&pool, now);

    assert_eq!(open.record(&Outcome::success(), now).change(), None);
    assert_eq!(open.record(&throttled, now).change(), Some(Change::Closed));
    assert_eq!(open.record(&throttled, now).change(), None);
    let later = now + SECOND;
    assert_eq!(
        open.record(&throttled, later).change(),
        Some(Change::Closed)
    );

    let much_later = later + SECOND;
    assert_eq!(
        open.record(&failing, much_later).change(),
        Some(Change::Closed)
    );
    assert_eq!(open.record(&failing, much_later).change(), None);
    let due = much_later + SECOND;
    assert_eq!(select(&pool, due).record(&failing, due).change(), None);
    let due = due + SECOND;
    let probe = select(&pool, due);
    assert_eq!(
        probe.record(&Outcome::client_error(), due).change(),
        Some(Change::Opened)
    );
}

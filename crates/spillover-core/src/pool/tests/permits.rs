//! Backends with a limit of requests in flight.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Creates a pool of backends, given as `(label, priority, max_concurrency)`.
pub(super) fn limited<const N: usize>(backends: [(&str, u32, u32); N]) -> Pool {
    let build = |(label, priority, max): (&str, u32, u32)| {
        let builder = Backend::builder(label).url("http://upstream.example");
        builder
            .priority(priority)
            .max_concurrency(max)
            .build()
            .unwrap()
    };
    Pool::new(backends.map(build)).unwrap()
}

pub(super) fn in_flight(pool: &Pool) -> Vec<u32> {
    let snapshots = pool.snapshot(Scope::BACKEND, Instant::now());
    snapshots.iter().map(BackendSnapshot::in_flight).collect()
}

#[test]
fn request_is_in_flight_until_it_is_released_or_dropped() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let released = select(&pool, now);
    let clone = released.clone();
    let dropped = select(&pool, now);
    assert_eq!(in_flight(&pool), [2]);

    clone.release();
    assert_eq!(in_flight(&pool), [1]);
    released.release();
    drop((released, clone));
    assert_eq!(in_flight(&pool), [1]);

    let clone = dropped.clone();
    drop(dropped);
    assert_eq!(in_flight(&pool), [1]);
    drop(clone);
    assert_eq!(in_flight(&pool), [0]);
}

#[test]
fn full_backend_is_passed_over_until_a_permit_is_free() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2), ("b", 2, 1)]);
    let [first, second] = [0, 1].map(|_| select(&pool, now));
    let spill = select(&pool, now);
    let labels = [&first, &second, &spill].map(|it| it.backend().label());
    assert_eq!(labels, ["a", "a", "b"]);
    assert!(!pool.has_candidate(&Query::new(), now));
    assert!(pool.first(&Query::new(), now).is_none());

    second.release();
    assert!(pool.has_candidate(&Query::new(), now));
    assert_eq!(select(&pool, now).backend().label(), "a");
}

#[test]
fn full_backend_is_neither_last_resort_nor_first() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 0, SECOND * 10, now);
    throttle(&pool, 1, SECOND * 10, now);
    let held = select(&pool, now);
    assert_eq!(held.backend().label(), "a");
    assert!(pool.select(&Query::new(), now, 0).is_err());
    let first = pool.first(&Query::new(), now).expect("one is not full");
    assert_eq!(first.backend().label(), "b");
    assert!(pool.first(&Query::new(), now).is_none());
}

#[test]
fn exhausted_may_open_sooner_if_a_backend_is_full() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 2, 1)]);
    let held = select(&pool, now);
    let exhausted = |pool: &Pool| {
        let exhausted = pool.exhausted(&Query::new(), now);
        let class = exhausted.cause().map(Cause::class);
        (exhausted.reopens_in(), class, exhausted.may_open_sooner())
    };
    // Backend b is open.
    assert_eq!(exhausted(&pool), (Duration::ZERO, None, true));

    let throttled = Some(crate::Class::Throttled);
    throttle(&pool, 1, SECOND * 3 / 10, now);
    assert_eq!(exhausted(&pool), (SECOND * 3 / 10, throttled, true));
    throttle(&pool, 1, SECOND * 5, now);
    assert_eq!(exhausted(&pool), (SECOND, None, true));

    // Backend a is full and throttled: the throttle states the time.
    throttle(&pool, 0, SECOND * 4, now);
    assert_eq!(exhausted(&pool), (SECOND * 4, throttled, false));
    drop(held);
    assert_eq!(exhausted(&pool), (SECOND * 4, throttled, false));
}

#[test]
fn snapshot_shows_full_condition_and_requests_in_flight() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 2, 1)]);
    let condition = || pool.snapshot(Scope::BACKEND, now)[0].condition();
    let held = select(&pool, now);
    assert_eq!(condition(), Condition::Full);
    assert_eq!(in_flight(&pool), [1, 0]);
    fail(&pool, 0, SECOND, now);
    assert_eq!(condition(), Condition::Failing(SECOND));
    held.record(&Outcome::success(), now);
    select(&pool, now).record(&Outcome::success(), now);
    throttle(&pool, 0, SECOND, now);
    assert_eq!(condition(), Condition::Throttled(SECOND));
}

#[test]
fn full_backend_has_no_cause_after_it_has_recovered() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    fail(&pool, 0, SECOND, now);
    let probe = select(&pool, now + SECOND);
    probe.record(&Outcome::success(), now + SECOND);
    assert!(
        pool.exhausted(&Query::new(), now + SECOND)
            .cause()
            .is_none()
    );
    assert!(
        pool.snapshot(Scope::BACKEND, now + SECOND)[0]
            .cause()
            .is_none()
    );
}

#[test]
fn due_probe_of_a_full_backend_is_made_when_a_permit_is_free() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 2, 9)]);
    let held = select(&pool, now);
    fail(&pool, 0, SECOND, now);
    let due = now + SECOND;
    assert_eq!(select(&pool, due).backend().label(), "b");
    held.release();
    assert!(select(&pool, due).is_probe());
}

#[test]
fn probe_that_got_no_permit_is_made_by_the_next_request() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    fail(&pool, 0, SECOND, now);
    let due = now + SECOND;
    let other = std::sync::Mutex::new(None);
    let raced = |_: &Candidates<'_>, _| {
        *other.lock().unwrap() = pool.first(&Query::new(), due);
        0
    };
    let selected = pool.select(&Query::new().strategy(&raced), due, 0);
    assert!(selected.is_err());
    drop(other.into_inner().unwrap().expect("it was free"));
    assert!(select(&pool, due).is_probe());
}

#[test]
fn request_that_loses_the_probe_releases_its_permit() {
    let now = Instant::now();
    for _ in 0..200 {
        let pool = limited([("a", 1, 4), ("b", 2, 4)]);
        fail(&pool, 0, SECOND, now);
        std::thread::scope(|scope| {
            (0..4).for_each(|_| {
                scope.spawn(|| drop(select(&pool, now + SECOND)));
            });
        });
        assert_eq!(in_flight(&pool), [0, 0]);
    }
}

#[test]
fn limit_is_never_exceeded_by_concurrent_threads() {
    const MAX: u32 = 3;
    let now = Instant::now();
    let pool = limited([("a", 1, MAX), ("b", 1, MAX)]);
    let at = [AtomicU32::new(0), AtomicU32::new(0)];
    std::thread::scope(|scope| {
        for seed in 0..8 {
            let (pool, at) = (&pool, &at);
            scope.spawn(move || {
                let mut rng = SmallRng::seed_from_u64(seed);
                for _ in 0..2000 {
                    let draw = rng.random();
                    let Ok(selected) = pool.select(&Query::new(), now, draw) else {
                        continue;
                    };
                    let at = &at[selected.index()];
                    assert!(at.fetch_add(1, Ordering::SeqCst) < MAX);
                    std::thread::yield_now();
                    at.fetch_sub(1, Ordering::SeqCst);
                    if rng.random() {
                        selected.release();
                    }
                }
            });
        }
    });
    assert_eq!(in_flight(&pool), [0, 0]);
}

//! Growth of the floor while a backend refuses the first request after each opening.

use super::*;
use crate::Cooldown;
use crate::layer::SelectedProtocol;

const MS: Duration = Duration::from_millis(1);

fn refuse(selected: &Selected, now: Instant) -> Duration {
    let recorded = selected.record(&Outcome::throttled(50 * MS), now);
    recorded.closed_for().expect("it closes")
}

/// Refuses the first attempt after each of three openings. Returns the instant at which the backend opens again.
fn strike_three_times(pool: &Pool, now: Instant) -> Instant {
    let mut now = now;
    for wait in [100, 200, 400, 800] {
        assert_eq!(refuse(&select(pool, now), now), wait * MS);
        now += wait * MS;
    }
    now
}

#[test]
fn bucket_that_admits_one_request_at_a_time_is_closed_for_the_floor_only() {
    let mut now = Instant::now();
    let pool = pool([("ptu", 1, 1)]);
    refuse(&select(&pool, now), now);
    for _ in 0..50 {
        now += Cooldown::FLOOR;
        // The backend admitted this request, and has not responded yet.
        let _admitted = select(&pool, now);
        let refused = select(&pool, now + MS);
        assert_eq!(refuse(&refused, now + 2 * MS), Cooldown::FLOOR);
        now += 2 * MS;
    }
}

#[test]
fn only_refusal_of_the_first_attempt_after_an_opening_is_a_strike() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    refuse(&select(&pool, now), now);
    let opened = now + Cooldown::FLOOR;
    let [first, second, third] = [0, 1, 2].map(|i| select(&pool, opened + i * MS));
    assert_eq!(refuse(&second, opened + 3 * MS), Cooldown::FLOOR);
    assert_eq!(refuse(&third, opened + 3 * MS), Cooldown::FLOOR);
    // A late refusal of the first attempt is a strike as well.
    assert_eq!(refuse(&first, opened + 4 * MS), 2 * Cooldown::FLOOR);
    // One attempt makes one strike.
    assert_eq!(refuse(&first, opened + 5 * MS), 2 * Cooldown::FLOOR);
}

#[test]
fn attempts_at_the_same_instant_do_not_count_as_first() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    refuse(&select(&pool, now), now);
    let opened = now + Cooldown::FLOOR;
    let both = [0, 1].map(|_| select(&pool, opened));
    for selected in &both {
        assert!(!selected.has_obeyed(opened));
        assert_eq!(refuse(selected, opened + MS), Cooldown::FLOOR);
    }
    let later = opened + MS + Cooldown::FLOOR;
    assert_eq!(refuse(&select(&pool, later), later), 2 * Cooldown::FLOOR);
}

#[test]
fn attempt_of_another_scope_does_not_count_as_first() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let [one, other] = ["one", "other"].map(Scope::named);
    let at = |scope, now| pool.select(&Query::new().scope(scope), now, 0).unwrap();
    refuse(&at(one, now), now);
    let opened = now + Cooldown::FLOOR;
    let _other = at(other, opened);
    assert_eq!(
        refuse(&at(one, opened + MS), opened + MS),
        2 * Cooldown::FLOOR
    );
}

#[test]
fn success_of_any_attempt_of_the_run_ends_the_run() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let mut now = strike_three_times(&pool, now);
    let _first = select(&pool, now);
    let second = select(&pool, now + MS);
    let third = select(&pool, now + 2 * MS);
    assert_eq!(refuse(&third, now + 3 * MS), 800 * MS);
    // The response comes while the backend is closed again.
    now += 700 * MS;
    second.record(&Outcome::success(), now);
    now += 200 * MS;
    assert_eq!(refuse(&select(&pool, now), now), 2 * Cooldown::FLOOR);
}

#[test]
fn success_of_an_attempt_from_before_the_run_does_not_end_the_run() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let before = select(&pool, now);
    let now = strike_three_times(&pool, now);
    before.record(&Outcome::success(), now);
    assert_eq!(refuse(&select(&pool, now), now), 1600 * MS);
}

#[test]
fn attempt_after_a_cancelled_first_attempt_does_not_count_as_first() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let now = strike_three_times(&pool, now);
    select(&pool, now).cancel(now);
    assert_eq!(refuse(&select(&pool, now + MS), now + MS), 800 * MS);
}

#[test]
fn record_reports_the_time_for_which_the_backend_is_closed() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let [long, short] = [0, 1].map(|_| select(&pool, now));
    let throttled = |selected: &Selected, wait, now| {
        let outcome = Outcome::throttled(wait);
        let recorded = selected.record(&outcome, now);
        let outcome = outcome.closed_for(recorded.closed_for());
        (recorded.change(), outcome.cooldown().unwrap().duration())
    };
    assert_eq!(
        throttled(&long, SECOND * 9, now),
        (Some(Change::Closed), SECOND * 9)
    );
    assert_eq!(throttled(&short, SECOND, now + SECOND), (None, SECOND * 8));

    let failing = short.record(&Outcome::failing(SECOND * 3), now + SECOND);
    assert_eq!(failing.closed_for(), Some(SECOND * 3));
    assert_eq!(long.record(&Outcome::success(), now).closed_for(), None);
}

#[test]
fn one_of_several_threads_counts_as_first() {
    for _ in 0..200 {
        let now = Instant::now();
        let pool = pool([("a", 1, 1)]);
        refuse(&select(&pool, now), now);
        let opened = now + Cooldown::FLOOR;
        let obeyed: usize = std::thread::scope(|scope| {
            let begin = |i| {
                let pool = &pool;
                scope.spawn(move || {
                    let now = opened + i * MS;
                    let selected = select(pool, now);
                    usize::from(selected.has_obeyed(now))
                })
            };
            let threads: Vec<_> = (0..4).map(begin).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(obeyed, 1);
    }
}

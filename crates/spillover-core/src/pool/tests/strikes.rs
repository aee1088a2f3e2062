//! Growth of the least wait while a backend refuses right after it opens.

use super::*;
use crate::Cooldown;
use crate::layer::SelectedProtocol;

const MS: Duration = Duration::from_millis(1);

fn refuse(selected: &Selected, now: Instant) -> Duration {
    let recorded = selected.record(&Outcome::throttled(50 * MS), now);
    recorded.closed_for().expect("it closes")
}

/// Refuses the first attempt after each of three openings. Returns the instant at which the backend opens again.
fn struck(pool: &Pool, now: Instant) -> Instant {
    let mut now = now;
    for wait in [100, 200, 400, 800] {
        assert_eq!(refuse(&select(pool, now), now), wait * MS);
        now += wait * MS;
    }
    now
}

#[test]
fn bucket_that_admits_one_and_refuses_the_next_is_closed_for_the_least_wait() {
    let mut now = Instant::now();
    let pool = pool([("ptu", 1, 1)]);
    refuse(&select(&pool, now), now);
    for _ in 0..50 {
        now += Cooldown::FLOOR;
        // The answer takes 4 s.
        let _admitted = select(&pool, now);
        let refused = select(&pool, now + MS);
        assert_eq!(refuse(&refused, now + 2 * MS), Cooldown::FLOOR);
        now += 2 * MS;
    }
}

#[test]
fn only_the_first_attempt_after_an_opening_strikes() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    refuse(&select(&pool, now), now);
    let opened = now + Cooldown::FLOOR;
    let [first, second, third] = [0, 1, 2].map(|i| select(&pool, opened + i * MS));
    assert_eq!(refuse(&second, opened + 3 * MS), Cooldown::FLOOR);
    assert_eq!(refuse(&third, opened + 3 * MS), Cooldown::FLOOR);
    // A refusal that comes late says the same as one that comes in time.
    assert_eq!(refuse(&first, opened + 4 * MS), 2 * Cooldown::FLOOR);
    // One attempt strikes once.
    assert_eq!(refuse(&first, opened + 5 * MS), 2 * Cooldown::FLOOR);
}

#[test]
fn attempts_that_begin_at_one_instant_are_not_first() {
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
fn attempt_of_another_scope_is_not_the_first_of_this_one() {
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
fn answer_to_any_attempt_of_the_run_ends_it() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let mut now = struck(&pool, now);
    let _first = select(&pool, now);
    let second = select(&pool, now + MS);
    let third = select(&pool, now + 2 * MS);
    assert_eq!(refuse(&third, now + 3 * MS), 800 * MS);
    // The answer comes while the backend is closed again.
    now += 700 * MS;
    second.record(&Outcome::success(), now);
    now += 200 * MS;
    assert_eq!(refuse(&select(&pool, now), now), 2 * Cooldown::FLOOR);
}

#[test]
fn answer_to_an_attempt_from_before_the_run_does_not_end_it() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let before = select(&pool, now);
    let now = struck(&pool, now);
    before.record(&Outcome::success(), now);
    assert_eq!(refuse(&select(&pool, now), now), 1600 * MS);
}

#[test]
fn when_the_first_attempt_is_cancelled_the_next_is_not_first() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let now = struck(&pool, now);
    select(&pool, now).cancel(now);
    assert_eq!(refuse(&select(&pool, now + MS), now + MS), 800 * MS);
}

#[test]
fn pool_tells_for_how_long_it_really_closed() {
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
fn one_of_many_threads_is_first() {
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

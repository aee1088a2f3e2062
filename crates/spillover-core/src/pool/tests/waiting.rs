//! Which of the requests that wait is called, and when it may look.

use std::task::{Context, Poll, Waker};

use super::{
    places::{in_flight, limited},
    *,
};
use crate::layer::AttemptsProtocol;

const MS: Duration = Duration::from_millis(1);

/// Returns whether it is called.
pub(super) fn poll(waiter: &mut Waiter) -> bool {
    let poll = waiter.poll_called(&mut Context::from_waker(Waker::noop()));
    poll == Poll::Ready(())
}

pub(super) fn wait(pool: &Pool, query: &Query<'_>, now: Instant) -> Waiter {
    let mut waiter = pool.wait(query);
    if poll(&mut waiter) {
        // The first looks once at once.
        waiter.missed(now);
    }
    waiter
}

/// Requests that wait, in this order and in one line.
pub(super) fn waiting<const N: usize>(pool: &Pool, now: Instant) -> [Waiter; N] {
    std::array::from_fn(|_| wait(pool, &Query::new(), now))
}

fn scoped(pool: &Pool, scope: &str, now: Instant) -> Waiter {
    wait(pool, &Query::new().scope(Scope::named(scope)), now)
}

#[test]
fn place_calls_the_first_and_the_next_place_the_next() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let [one, two] = [0, 1].map(|_| select(&pool, now));
    let [mut first, mut second, mut third] = waiting(&pool, now);

    one.release();
    assert!(poll(&mut first));
    assert!(!poll(&mut second) && !poll(&mut third));
    let taken = select(&pool, now);
    first.found(&taken, now);
    // The second is the first now, and looks: there is no place.
    assert!(poll(&mut second) && !poll(&mut third));
    second.missed(now);

    two.release();
    assert!(poll(&mut second) && !poll(&mut third));
}

#[test]
fn only_a_backend_that_was_full_calls() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let one = select(&pool, now);
    let [mut first] = waiting(&pool, now);
    one.release();
    assert!(!poll(&mut first));
}

#[test]
fn two_places_that_get_free_before_any_request_looks_are_taken_by_two_at_once() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let held = [0, 1].map(|_| select(&pool, now));
    let [mut first, mut second, mut third] = waiting(&pool, now);
    drop(held);
    assert!(poll(&mut first) && !poll(&mut second));
    first.found(&select(&pool, now), now);
    assert!(poll(&mut second));
    assert_eq!(second.turn(now), Turn::Now);
    second.found(&select(&pool, now), now);
    assert!(poll(&mut third));
    third.missed(now);
    assert!(!poll(&mut third));
}

#[test]
fn dropped_request_passes_its_turn_on() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [first, mut second, mut third, fourth] = waiting(&pool, now);

    held.release();
    // The first was called, and never ran.
    drop(first);
    assert!(poll(&mut second));
    // The second ran, and never looked.
    drop(second);
    assert!(poll(&mut third));
    // One that is not the first goes, and none is called for it.
    drop(fourth);
    assert!(!poll(&mut third));
}

#[test]
fn request_whose_permit_was_taken_stays_the_first_of_its_line() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [mut first, mut second] = waiting(&pool, now);
    held.release();
    let taken = select(&pool, now);
    assert!(poll(&mut first));
    first.missed(now);
    assert!(!poll(&mut first) && !poll(&mut second));

    taken.release();
    assert!(poll(&mut first) && !poll(&mut second));
}

#[test]
fn place_that_is_closed_for_one_scope_is_left_to_the_next_line() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let mut lines = ["one", "two", "three"].map(|scope| scoped(&pool, scope, now));
    let mut second = scoped(&pool, "one", now);
    held.release();
    for waiter in &mut lines {
        assert!(poll(waiter));
        waiter.missed(now);
    }
    // The place went round once: waiting requests do not call each other for ever.
    assert!(
        lines
            .iter_mut()
            .chain([&mut second])
            .all(|waiter| !poll(waiter))
    );

    // The next place goes round anew, from the oldest.
    drop(select(&pool, now));
    assert!(poll(&mut lines[0]) && !poll(&mut lines[1]));
}

#[test]
fn places_go_to_the_oldest_of_all_lines() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let mut held = select(&pool, now);
    let scopes = ["one", "one", "two", "one", "two"];
    let mut waiting: Vec<_> = scopes
        .iter()
        .map(|scope| Some(scoped(&pool, scope, now)))
        .collect();
    for next in 0..waiting.len() {
        held.release();
        let mut found = waiting[next].take().unwrap();
        assert!(poll(&mut found), "{next}");
        held = select(&pool, now);
        found.found(&held, now);
        // Requests that became the first of a line look in vain.
        for waiter in waiting.iter_mut().flatten() {
            if poll(waiter) {
                waiter.missed(now);
            }
        }
    }
}

#[test]
fn request_that_found_another_backend_leaves_the_permit_to_others() {
    let now = Instant::now();
    let unlimited = Backend::builder("b").url("http://b").priority(2).build();
    let limited = Backend::builder("a").url("http://a").max_concurrency(1);
    let pool = Pool::new([limited.build().unwrap(), unlimited.unwrap()]).unwrap();
    throttle(&pool, 1, SECOND, now);
    let held = select(&pool, now);
    let [mut first, mut second] = waiting(&pool, now);
    held.release();
    assert!(poll(&mut first));
    let attempts = Attempts::new();
    attempts.mark(0);
    let elsewhere = pool.select(&Query::new().attempts(&attempts), now + SECOND, 0);
    first.found(&elsewhere.expect("it opened"), now + SECOND);
    assert!(poll(&mut second));
    assert_eq!(second.turn(now + SECOND), Turn::Now);
}

#[test]
fn place_that_is_closed_for_all_is_left_to_none() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [mut one, mut two] = ["one", "two"].map(|scope| scoped(&pool, scope, now));
    throttle(&pool, 0, SECOND, now);
    held.release();
    assert!(poll(&mut one));
    one.missed(now);
    assert!(!poll(&mut one) && !poll(&mut two));
}

#[test]
fn request_that_comes_later_is_told_of_those_it_would_overtake() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let attempts = Attempts::new();
    attempts.mark(0);
    let (query, at_b) = (Query::new(), Query::new().attempts(&attempts));
    let to_a = Query::new().affinity(Affinity::to_backend("a").pinned());
    let other = Query::new().scope(Scope::named("other"));
    assert!(!pool.is_waited_for(&query));
    let waiter = wait(&pool, &query, now);
    let overtakes = |query: &Query<'_>| pool.is_waited_for(query);
    assert!(overtakes(&query) && overtakes(&query.affinity(Affinity::by_key("key"))));
    assert!(!overtakes(&at_b) && !overtakes(&to_a) && !overtakes(&other));
    drop(waiter);
    assert!(!overtakes(&query));
}

#[test]
fn after_an_opening_requests_are_let_go_one_by_one() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    throttle(&pool, 0, SECOND, now);
    let mut waiting: Vec<_> = waiting::<40>(&pool, now).into();
    now += SECOND;
    let mut let_go = |now: Instant| {
        let mut count = 0;
        while let Turn::Now = waiting[0].turn(now) {
            waiting.remove(0).found(&select(&pool, now), now);
            count += 1;
        }
        (count, waiting[0].turn(now))
    };
    for count in [1, 1, 2, 4, 8] {
        assert_eq!(let_go(now), (count, Turn::At(now + 50 * MS)));
        now += 50 * MS;
    }
}

#[test]
fn refused_request_keeps_its_position() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    throttle(&pool, 0, SECOND, now);
    let attempts = Attempts::new();
    let query = Query::new().attempts(&attempts).again();
    let mut first = wait(&pool, &query, now);
    let [mut second] = waiting(&pool, now);
    now += SECOND;
    first.keep_place(&attempts);
    let selected = select(&pool, now);
    attempts.mark(0);
    first.found(&selected, now);
    assert!(poll(&mut second));
    assert!(matches!(second.turn(now), Turn::At(_)));

    selected.record(&Outcome::throttled(SECOND), now);
    attempts.mark_limited(0);
    first = wait(&pool, &query, now);
    assert_eq!(second.turn(now + SECOND), Turn::Behind);
    assert_eq!(first.turn(now + SECOND), Turn::Now);
    assert!(pool.select(&query, now + SECOND, 0).is_ok());
}

#[test]
fn opening_is_that_of_a_backend_which_may_take_the_request() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 2, 1), ("c", 3, 1)]);
    let attempts = Attempts::new();
    let query = Query::new().attempts(&attempts).again();
    let opening = || {
        pool.opening(&query, now)
            .map(|it| (it.wait(), it.is_full()))
    };
    throttle(&pool, 0, SECOND * 2, now);
    fail(&pool, 1, SECOND * 3, now);
    throttle(&pool, 2, SECOND * 5, now);
    assert_eq!(opening(), Some((SECOND * 2, false)));
    attempts.mark(0);
    assert_eq!(opening(), Some((SECOND * 3, false)));
    attempts.mark(1);
    attempts.mark(2);
    assert_eq!(opening(), None);
    // The backend refused because of a limit, which will be over.
    attempts.mark_limited(2);
    assert_eq!(opening(), Some((SECOND * 5, false)));
}

#[test]
fn backend_that_fails_is_not_merely_full() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 2, 1)]);
    let _held = [0, 1].map(|_| select(&pool, now));
    let is_full = || pool.opening(&Query::new(), now).unwrap().is_full();
    assert!(is_full());
    throttle(&pool, 0, SECOND, now);
    assert!(is_full());
    fail(&pool, 1, SECOND, now);
    assert!(!is_full());
}

#[test]
fn query_for_open_backends_leaves_out_the_last_resort() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    fail(&pool, 0, SECOND, now);
    let select = |query: Query<'_>| pool.select(&query, now, 0).is_ok();
    let pinned = Query::new().affinity(Affinity::to_backend("a").pinned());
    assert!(select(Query::new()) && select(pinned));
    assert!(!select(Query::new().open_only()) && !select(pinned.open_only()));
}

#[test]
fn two_places_that_get_free_at_once_are_taken_by_two_lines() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let held = [0, 1].map(|_| select(&pool, now));
    let [mut one, mut two] = ["one", "two"].map(|scope| scoped(&pool, scope, now));
    // The second place is given back at a backend that is no longer full.
    drop(held);
    assert!(poll(&mut one) && !poll(&mut two));
    let taken = select(&pool, now);
    one.found(&taken, now);
    assert!(poll(&mut two));
}

#[test]
fn dropped_request_passes_its_turn_on_after_a_miss_of_another_line() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [one, mut two] = ["one", "two"].map(|scope| scoped(&pool, scope, now));
    // The second looks in vain, and says so only after the place got free for the first.
    let place_was_left = pool.has_free_permit(now);
    held.release();
    pool.queue().missed(&two.position, place_was_left);
    drop(one);
    assert!(poll(&mut two));
}

/// Lets each thread wait for a permit, keep it for a moment, and release it. Some threads give up while they wait. When
/// a call is lost, those that wait for it do so for ever.
#[test]
fn no_request_waits_for_ever() {
    const THREADS: u64 = 8;
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    std::thread::scope(|scope| {
        for seed in 0..THREADS {
            let pool = &pool;
            scope.spawn(move || {
                let mut rng = SmallRng::seed_from_u64(seed);
                for _ in 0..500 {
                    let gives_up = rng.random_ratio(1, 4);
                    let scope = Scope::named(["one", "two", "three"][rng.random_range(0..3)]);
                    take_in_turn(pool, scope, now, gives_up);
                }
            });
        }
    });
    assert_eq!(in_flight(&pool), [0]);
}

/// Parks until it has a place, which it then has for a moment; or gives up once it waits.
pub(super) fn take_in_turn(pool: &Pool, scope: Scope, now: Instant, gives_up: bool) {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut waiter = pool.wait(&Query::new().scope(scope));
    loop {
        while waiter.poll_called(&mut cx).is_pending() {
            if gives_up {
                return;
            }
            std::thread::park_timeout(SECOND);
            let waited = Instant::now().saturating_duration_since(now);
            assert!(waited < SECOND * 60, "it waits for ever");
        }
        match pool.select(&Query::new().scope(scope), now, 0) {
            Ok(taken) => {
                waiter.found(&taken, now);
                std::thread::yield_now();
                return;
            }
            Err(_) => waiter.missed(now),
        }
    }
}

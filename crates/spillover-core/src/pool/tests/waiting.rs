//! The queue of waiting requests: the order in which they are woken, and the times at which they may select a backend.

use std::task::{Context, Poll, Waker};

use super::{
    permits::{in_flight, limited},
    *,
};
use crate::layer::AttemptsProtocol;

const MS: Duration = Duration::from_millis(1);

/// Returns true if the waiter was woken.
pub(super) fn poll(waiter: &mut Waiter) -> bool {
    let poll = waiter.poll_called(&mut Context::from_waker(Waker::noop()));
    poll == Poll::Ready(())
}

pub(super) fn wait(pool: &Pool, query: &Query<'_>, now: Instant) -> Waiter {
    let mut waiter = pool.wait(query);
    if poll(&mut waiter) {
        // The first of a line selects at once, here without success.
        waiter.missed(now);
    }
    waiter
}

/// Creates waiting requests of one line, in this order.
pub(super) fn waiting<const N: usize>(pool: &Pool, now: Instant) -> [Waiter; N] {
    std::array::from_fn(|_| wait(pool, &Query::new(), now))
}

fn wait_in_scope(pool: &Pool, scope: &str, now: Instant) -> Waiter {
    wait(pool, &Query::new().scope(Scope::named(scope)), now)
}

#[test]
fn each_free_permit_wakes_the_first_request_of_the_line() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let [one, two] = [0, 1].map(|_| select(&pool, now));
    let [mut first, mut second, mut third] = waiting(&pool, now);

    one.release();
    assert!(poll(&mut first));
    assert!(!poll(&mut second) && !poll(&mut third));
    let taken = select(&pool, now);
    first.found(&taken, now);
    // The second request became the first of the line. No permit is free.
    assert!(poll(&mut second) && !poll(&mut third));
    second.missed(now);

    two.release();
    assert!(poll(&mut second) && !poll(&mut third));
}

#[test]
fn backend_that_was_not_full_wakes_no_request() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let one = select(&pool, now);
    let [mut first] = waiting(&pool, now);
    one.release();
    assert!(!poll(&mut first));
}

#[test]
fn two_free_permits_of_one_backend_are_acquired_by_two_requests_of_a_line() {
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
fn dropped_request_hands_off_its_wake_up() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [first, mut second, mut third, fourth] = waiting(&pool, now);

    held.release();
    // The first request was woken, and dropped before it was polled.
    drop(first);
    assert!(poll(&mut second));
    // The second request was polled, and dropped before it reported a result.
    drop(second);
    assert!(poll(&mut third));
    // The fourth request is not the first of the line: no request is woken for it.
    drop(fourth);
    assert!(!poll(&mut third));
}

#[test]
fn request_that_missed_its_permit_stays_the_first_of_its_line() {
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
fn missed_permit_is_offered_to_each_line_once() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let mut lines = ["one", "two", "three"].map(|scope| wait_in_scope(&pool, scope, now));
    let mut second = wait_in_scope(&pool, "one", now);
    held.release();
    for waiter in &mut lines {
        assert!(poll(waiter));
        waiter.missed(now);
    }
    // Each line tried once for the free permit: waiting requests do not wake each other for ever.
    assert!(
        lines
            .iter_mut()
            .chain([&mut second])
            .all(|waiter| !poll(waiter))
    );

    // The next free permit is offered to the oldest line first.
    drop(select(&pool, now));
    assert!(poll(&mut lines[0]) && !poll(&mut lines[1]));
}

#[test]
fn permits_go_to_the_oldest_request_of_all_lines() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let mut held = select(&pool, now);
    let scopes = ["one", "one", "two", "one", "two"];
    let mut waiting: Vec<_> = scopes
        .iter()
        .map(|scope| Some(wait_in_scope(&pool, scope, now)))
        .collect();
    for next in 0..waiting.len() {
        held.release();
        let mut found = waiting[next].take().unwrap();
        assert!(poll(&mut found), "{next}");
        held = select(&pool, now);
        found.found(&held, now);
        // Requests that became the first of a line find no free permit.
        for waiter in waiting.iter_mut().flatten() {
            if poll(waiter) {
                waiter.missed(now);
            }
        }
    }
}

#[test]
fn request_that_found_another_backend_hands_off_the_permit() {
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
fn free_permit_of_a_throttled_backend_wakes_one_request_only() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [mut one, mut two] = ["one", "two"].map(|scope| wait_in_scope(&pool, scope, now));
    throttle(&pool, 0, SECOND, now);
    held.release();
    assert!(poll(&mut one));
    one.missed(now);
    assert!(!poll(&mut one) && !poll(&mut two));
}

#[test]
fn later_request_would_overtake_waiting_requests_of_the_same_backends_and_scope() {
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
fn requests_are_released_at_a_growing_pace_after_an_opening() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    throttle(&pool, 0, SECOND, now);
    let mut waiting: Vec<_> = waiting::<40>(&pool, now).into();
    now += SECOND;
    let mut release_due = |now: Instant| {
        let mut count = 0;
        while let Turn::Now = waiting[0].turn(now) {
            waiting.remove(0).found(&select(&pool, now), now);
            count += 1;
        }
        (count, waiting[0].turn(now))
    };
    for count in [1, 1, 2, 4, 8] {
        assert_eq!(release_due(now), (count, Turn::At(now + 50 * MS)));
        now += 50 * MS;
    }
}

#[test]
fn refused_request_keeps_its_position_in_the_queue() {
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
fn opening_skips_backends_that_have_refused_the_request() {
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
    // Backend c refused because of a limit, so that it may be tried again.
    attempts.mark_limited(2);
    assert_eq!(opening(), Some((SECOND * 5, false)));
}

#[test]
fn opening_is_not_full_if_a_full_backend_fails() {
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
fn open_only_query_excludes_the_last_resort() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    fail(&pool, 0, SECOND, now);
    let select = |query: Query<'_>| pool.select(&query, now, 0).is_ok();
    let pinned = Query::new().affinity(Affinity::to_backend("a").pinned());
    assert!(select(Query::new()) && select(pinned));
    assert!(!select(Query::new().open_only()) && !select(pinned.open_only()));
}

#[test]
fn two_free_permits_of_one_backend_are_acquired_by_two_lines() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let held = [0, 1].map(|_| select(&pool, now));
    let [mut one, mut two] = ["one", "two"].map(|scope| wait_in_scope(&pool, scope, now));
    // The second permit is released when the backend is no longer full.
    drop(held);
    assert!(poll(&mut one) && !poll(&mut two));
    let taken = select(&pool, now);
    one.found(&taken, now);
    assert!(poll(&mut two));
}

#[test]
fn dropped_request_hands_off_its_wake_up_after_another_line_missed() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [one, mut two] = ["one", "two"].map(|scope| wait_in_scope(&pool, scope, now));
    // The second line finds no permit, but reports that only after a permit became free for the first line.
    let permit_was_free = pool.has_free_permit(now);
    held.release();
    pool.queue().missed(&two.position, permit_was_free);
    drop(one);
    assert!(poll(&mut two));
}

/// Lets each thread wait for a permit, keep it for a moment, and release it. Some threads give up while they wait. If
/// a wake-up is lost, the waiting threads wait for ever.
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
                    wait_for_permit(pool, scope, now, gives_up);
                }
            });
        }
    });
    assert_eq!(in_flight(&pool), [0]);
}

/// Waits for a permit and holds it for a moment. With `gives_up`, leaves the queue instead of waiting.
pub(super) fn wait_for_permit(pool: &Pool, scope: Scope, now: Instant, gives_up: bool) {
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
            assert!(waited < SECOND * 60, "the request waits for ever");
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

//! Who waits for a place, and who is woken.

use std::task::{Context, Poll, Waker};

use super::{
    places::{in_flight, limited},
    *,
};

/// Whether it is woken.
pub(super) fn poll(freed: &mut Freed) -> bool {
    let poll = freed.poll_freed(&mut Context::from_waker(Waker::noop()));
    poll == Poll::Ready(())
}

/// So many that wait, in this order.
pub(super) fn waiting<const N: usize>(pool: &Pool) -> [Freed; N] {
    std::array::from_fn(|_| {
        let mut freed = pool.freed();
        assert!(!poll(&mut freed));
        freed
    })
}

#[test]
fn a_place_wakes_one_that_waits_and_the_next_place_the_next() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let [one, two] = [0, 1].map(|_| select(&pool, now));
    let [mut first, mut second, mut third] = waiting(&pool);

    one.release();
    assert!(poll(&mut first));
    assert!(!poll(&mut second) && !poll(&mut third));
    let taken = select(&pool, now);
    first.pass_on(Some(&taken), now);
    assert!(!poll(&mut second) && !poll(&mut third));

    two.release();
    assert!(poll(&mut second) && !poll(&mut third));
}

#[test]
fn only_a_backend_that_was_full_wakes() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let one = select(&pool, now);
    let [mut first] = waiting(&pool);
    one.release();
    assert!(!poll(&mut first));
}

#[test]
fn two_places_that_get_free_before_anybody_looks_wake_two() {
    let now = Instant::now();
    let pool = limited([("a", 1, 2)]);
    let held = [0, 1].map(|_| select(&pool, now));
    let [mut first, mut second, mut third] = waiting(&pool);
    drop(held);
    assert!(poll(&mut first) && !poll(&mut second));
    let one = select(&pool, now);
    first.pass_on(Some(&one), now);
    assert!(poll(&mut second));
    let two = select(&pool, now);
    second.pass_on(Some(&two), now);
    assert!(!poll(&mut third));
}

#[test]
fn one_that_is_dropped_passes_its_turn_on() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [first, mut second, mut third, mut fourth] = waiting(&pool);

    held.release();
    // It was woken, and never ran.
    drop(first);
    assert!(poll(&mut second));
    // It ran, and never looked.
    drop(second);
    assert!(poll(&mut third));
    assert!(!poll(&mut fourth));
    // It waits no more, and nobody was woken for it.
    drop(third);
    assert!(poll(&mut fourth));
}

#[test]
fn one_whose_place_was_taken_waits_on_and_wakes_nobody() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [mut first, mut second] = waiting(&pool);
    held.release();
    let taken = select(&pool, now);
    assert!(poll(&mut first));
    first.pass_on(None, now);
    assert!(!poll(&mut first) && !poll(&mut second));

    // Whoever took it wakes again.
    taken.release();
    assert!(poll(&mut second) && !poll(&mut first));
}

#[test]
fn one_for_whom_the_place_is_closed_leaves_it_to_others() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [mut first, mut second, mut third] = waiting(&pool);
    held.release();
    assert!(poll(&mut first));
    first.pass_on(None, now);
    assert!(!poll(&mut first));
    assert!(poll(&mut second));
    second.pass_on(None, now);
    assert!(poll(&mut third));
    third.pass_on(None, now);

    // It went round: those that wait do not wake each other for ever.
    assert!(poll(&mut first));
    first.pass_on(None, now);
    assert!(!poll(&mut first) && !poll(&mut second) && !poll(&mut third));

    // The next place goes round anew.
    drop(select(&pool, now));
    assert!(poll(&mut second));
}

#[test]
fn one_that_got_a_place_elsewhere_leaves_this_one_to_others() {
    let now = Instant::now();
    let unlimited = Backend::builder("b").url("http://b").priority(2).build();
    let limited = Backend::builder("a").url("http://a").max_concurrency(1);
    let pool = Pool::new([limited.build().unwrap(), unlimited.unwrap()]).unwrap();
    throttle(&pool, 1, SECOND, now);
    let held = select(&pool, now);
    let [mut first, mut second] = waiting(&pool);
    held.release();
    assert!(poll(&mut first));
    let tried = Tried::new();
    tried.mark(0);
    let elsewhere = pool.select(&tried, Scope::WHOLE, now + SECOND, 0);
    first.pass_on(Some(&elsewhere.expect("it opened")), now + SECOND);
    assert!(poll(&mut second));
}

#[test]
fn what_is_closed_for_all_is_passed_to_nobody() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [mut first, mut second] = waiting(&pool);
    throttle(&pool, 0, SECOND, now);
    held.release();
    assert!(poll(&mut first));
    first.pass_on(None, now);
    assert!(!poll(&mut first) && !poll(&mut second));
}

#[test]
fn a_place_at_a_failing_backend_is_passed_on() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1)]);
    let held = select(&pool, now);
    let [mut first, mut second] = waiting(&pool);
    fail(&pool, 0, SECOND * 10, now);
    held.release();
    assert!(poll(&mut first));
    // It is closed for the scope of the first; for the second it is the last resort.
    first.pass_on(None, now);
    assert!(poll(&mut second));
    assert!(pool.select(&Tried::new(), Scope::WHOLE, now, 0).is_ok());
}

/// Each thread waits for a place, has it for a moment, and gives it back; some give up while they wait. When a wake-up is
/// lost, those that wait for it do so for ever.
#[test]
fn nobody_waits_for_ever() {
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
                    take_in_turn(pool, now, gives_up);
                }
            });
        }
    });
    assert_eq!(in_flight(&pool), [0]);
}

/// Parks until it has a place, which it then has for a moment; or gives up once it waits.
pub(super) fn take_in_turn(pool: &Pool, now: Instant, gives_up: bool) {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut freed = pool.freed();
    loop {
        let _ = freed.poll_freed(&mut cx);
        let taken = pool.select(&Tried::new(), Scope::WHOLE, now, 0).ok();
        freed.pass_on(taken.as_ref(), now);
        if taken.is_some() {
            std::thread::yield_now();
            return;
        }
        if gives_up {
            return;
        }
        while freed.poll_freed(&mut cx).is_pending() {
            std::thread::park_timeout(SECOND);
            let waited = Instant::now().saturating_duration_since(now);
            assert!(waited < SECOND * 60, "it waits for ever");
        }
    }
}

//! Pools that share the state of their backends after a reload.

use spillover_hint::Dimension;

use super::{
    permits::{in_flight, limited},
    waiting::{poll, wait_for_permit, waiting},
    *,
};
use crate::BackendBuilder;
use crate::layer::SelectedProtocol;

fn backend(label: &str) -> BackendBuilder {
    Backend::builder(label).url("http://upstream.example")
}

fn key(value: &str) -> Credential {
    Credential::api_key(value).unwrap()
}

fn reload<const N: usize>(pool: &Pool, backends: [BackendBuilder; N]) -> Pool {
    let backends = backends.map(|builder| builder.build().unwrap());
    pool.with_backends(backends).unwrap()
}

/// Creates a pool with one backend, which is throttled for a second.
fn throttled(builder: BackendBuilder, now: Instant) -> Pool {
    let pool = Pool::new([builder.build().unwrap()]).unwrap();
    throttle(&pool, 0, SECOND, now);
    pool
}

fn condition(pool: &Pool, now: Instant) -> Condition {
    pool.snapshot(Scope::BACKEND, now)[0].condition()
}

#[test]
fn new_pool_continues_with_the_state_of_the_old_pool() {
    let now = Instant::now();
    let old = pool([("a", 1, 1), ("b", 2, 1)]);
    let served = select(&old, now);
    served.record_limit(Dimension::Tokens, 100);
    served.record(&Outcome::success(), now + SECOND);
    throttle(&old, 0, SECOND * 5, now);
    fail(&old, 1, SECOND * 7, now);

    // The order of the backends differs from that of the old pool.
    let new = reload(&old, [backend("b").priority(2), backend("a")]);
    let snapshots = new.snapshot(Scope::BACKEND, now);
    assert_eq!(snapshots[0].condition(), Condition::Failing(SECOND * 7));
    assert_eq!(snapshots[1].condition(), Condition::Throttled(SECOND * 5));
    assert_eq!(snapshots[1].counts().answered, 1);
    assert_eq!(snapshots[1].counts().refused, 1);
    assert_eq!(snapshots[1].in_flight(), 1);
    assert!(snapshots[1].latency().is_some());

    let later = now + SECOND * 5;
    let selected = select(&new, later);
    assert_eq!(selected.index(), 1);
    assert!(selected.has_obeyed(later));
    assert_eq!(selected.record_limit(Dimension::Tokens, 60), Some(100));
    assert!(!new.is_same(&old));
}

#[test]
fn outcome_in_one_pool_is_seen_by_all_pools() {
    let now = Instant::now();
    let old = pool([("a", 1, 1)]);
    let new = reload(&old, [backend("a")]);
    let newest = reload(&new, [backend("a")]);
    let [in_old, in_new, in_newest] = [&old, &new, &newest].map(|pool| select(pool, now));
    assert_eq!([&old, &new, &newest].map(in_flight), [[3], [3], [3]]);

    in_old.record(&Outcome::throttled(SECOND), now);
    assert_eq!(condition(&newest, now), Condition::Throttled(SECOND));
    in_newest.record(&Outcome::throttled(SECOND * 2), now);
    assert_eq!(condition(&old, now), Condition::Throttled(SECOND * 2));
    in_new.record(&Outcome::failing(SECOND * 9), now);
    assert_eq!(
        condition(&old, now + SECOND * 2),
        Condition::Failing(SECOND * 7)
    );

    drop((in_old, in_new, in_newest));
    assert_eq!([&old, &new, &newest].map(in_flight), [[0], [0], [0]]);
}

#[test]
fn both_pools_use_one_clock() {
    let now = Instant::now();
    let old = throttled(backend("a"), now);
    std::thread::yield_now();
    let new = reload(&old, [backend("a")]);
    let almost = now + SECOND - Duration::from_nanos(1);
    assert_eq!(
        condition(&new, almost),
        Condition::Throttled(Duration::from_nanos(1))
    );
    assert_eq!(condition(&new, now + SECOND), Condition::Open);
}

#[test]
fn state_is_kept_when_priority_weight_limit_key_or_spelling_changes() {
    let now = Instant::now();
    let described = || {
        let builder = backend("a").url("https://a.example/x").deployment("d");
        builder.credential(key("one"))
    };
    let others = [
        described(),
        described().priority(7),
        described().weight(7),
        described().max_concurrency(7),
        described().credential(key("two")),
        described().credential(Credential::by_layer()),
        described().url("HTTPS://A.example/x/"),
    ];
    for other in others {
        let printed = format!("{other:?}");
        let new = reload(&throttled(described(), now), [other]);
        let expected = Condition::Throttled(SECOND);
        assert_eq!(condition(&new, now), expected, "{printed}");
    }
}

#[test]
fn state_is_not_shared_with_another_url_deployment_label_or_kind_of_credential() {
    let now = Instant::now();
    let described = || {
        let builder = backend("a").url("https://a.example/x").deployment("d");
        builder.credential(key("one"))
    };
    let passing = || backend("a").url("https://a.example/x");
    let pairs = [
        (described(), described().url("https://b.example/x")),
        (described(), described().url("http://a.example/x")),
        (described(), described().url("https://a.example/y")),
        (described(), described().url("https://a.example:8443/x")),
        (described(), described().deployment("e")),
        (described(), passing().deployment("d")),
        (passing(), passing().credential(key("one"))),
        (passing(), passing().deployment("d")),
        (passing(), backend("b").url("https://a.example/x")),
    ];
    for (one, other) in pairs {
        let printed = format!("{one:?} {other:?}");
        let old = throttled(one, now);
        let new = reload(&old, [other]);
        assert_eq!(condition(&new, now), Condition::Open, "{printed}");
        throttle(&new, 0, SECOND * 5, now);
        assert_eq!(condition(&old, now), Condition::Throttled(SECOND));
    }
}

#[test]
fn changed_priority_and_credential_apply_to_the_new_pool_only() {
    let now = Instant::now();
    let old = pool([("a", 1, 1), ("b", 2, 1)]);
    let new = reload(&old, [backend("a").priority(3), backend("b").priority(2)]);
    assert_eq!(select(&old, now).backend().label(), "a");
    assert_eq!(select(&new, now).backend().label(), "b");
    assert!(!select(&new, now).is_spill());

    let keyed = reload(&new, [backend("a").credential(key("one"))]);
    assert!(new.forwards_credentials() && !keyed.forwards_credentials());
}

#[test]
fn failure_is_not_inherited_by_another_key() {
    let now = Instant::now();
    let described = |value| backend("a").credential(key(value));
    let old = throttled(described("one"), now);
    fail(&old, 0, SECOND * 9, now);
    let same = reload(&old, [described("one")]);
    let other = reload(&old, [described("two")]);
    for pool in [&same, &other] {
        assert_eq!(condition(pool, now), Condition::Throttled(SECOND));
    }
    let later = now + SECOND;
    assert_eq!(condition(&same, later), Condition::Failing(SECOND * 8));
    assert_eq!(condition(&other, later), Condition::Open);
    assert_eq!(
        other.snapshot(Scope::BACKEND, later)[0].counts(),
        same.snapshot(Scope::BACKEND, later)[0].counts()
    );

    // A later failure of the old key does not affect the new key. A success of the new key does not affect the old key.
    fail(&old, 0, SECOND * 20, later);
    assert_eq!(condition(&other, later), Condition::Open);
    select(&other, later).record(&Outcome::success(), later);
    assert_eq!(condition(&old, later), Condition::Failing(SECOND * 20));
}

#[test]
fn one_request_of_both_pools_probes_a_failing_backend() {
    let now = Instant::now();
    let old = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&old, 0, SECOND, now);
    let new = reload(&old, [backend("a"), backend("b").priority(2)]);
    let due = now + SECOND;
    let probe = select(&old, due);
    assert!(probe.is_probe());
    assert_eq!(select(&new, due).backend().label(), "b");
    probe.record(&Outcome::success(), due);
    assert_eq!(select(&new, due).backend().label(), "a");
}

#[test]
fn each_pool_applies_its_own_limit_to_the_requests_of_all_pools() {
    let now = Instant::now();
    let old = limited([("a", 1, 2)]);
    let [lower, higher, none] = [
        reload(&old, [backend("a").max_concurrency(1)]),
        reload(&old, [backend("a").max_concurrency(3)]),
        reload(&old, [backend("a")]),
    ];
    let may_enter = |pool: &Pool| pool.has_candidate(&Query::new(), now);
    let all = || [&lower, &old, &higher, &none].map(may_enter);

    assert_eq!(all(), [true, true, true, true]);
    let first = select(&none, now);
    assert_eq!(all(), [false, true, true, true]);
    let second = select(&old, now);
    assert_eq!(all(), [false, false, true, true]);
    let third = select(&higher, now);
    assert_eq!(all(), [false, false, false, true]);
    drop((first, third));
    assert_eq!(all(), [false, true, true, true]);
    drop(second);
    assert_eq!(all(), [true, true, true, true]);
}

#[test]
fn free_permit_wakes_one_request_in_each_pool() {
    let now = Instant::now();
    for is_held_in_old in [true, false] {
        let old = limited([("a", 1, 1)]);
        let new = reload(&old, [backend("a").max_concurrency(1)]);
        let held = select(if is_held_in_old { &old } else { &new }, now);
        let [mut in_old, mut second_in_old] = waiting(&old, now);
        let [mut in_new, mut second_in_new] = waiting(&new, now);
        held.release();
        assert!(poll(&mut in_old) && poll(&mut in_new));
        assert!(!poll(&mut second_in_old) && !poll(&mut second_in_new));

        // One of the two acquires the permit. The other one waits on as the first of its line.
        let taken = select(&new, now);
        in_new.found(&taken, now);
        in_old.missed(now);
        assert!(poll(&mut second_in_new));
        second_in_new.missed(now);
        assert!(!poll(&mut in_old) && !poll(&mut second_in_old));
        taken.release();
        assert!(poll(&mut in_old) && poll(&mut second_in_new));
    }
}

#[test]
fn waiting_request_is_woken_at_the_limit_of_its_own_pool() {
    let now = Instant::now();
    let old = limited([("a", 1, 3)]);
    let new = reload(&old, [backend("a").max_concurrency(1)]);
    let held = [0, 1, 2].map(|_| select(&old, now));
    let [mut in_old] = waiting(&old, now);
    let [mut in_new] = waiting(&new, now);
    let [first, second, third] = held;
    first.release();
    assert!(poll(&mut in_old));
    in_old.missed(now);
    // The new pool allows one request: two are still in flight.
    assert!(poll(&mut in_new) && !new.has_candidate(&Query::new(), now));
    in_new.missed(now);
    second.release();
    assert!(!poll(&mut in_old));
    assert!(poll(&mut in_new));
    in_new.missed(now);
    third.release();
    assert!(poll(&mut in_new) && new.has_candidate(&Query::new(), now));
}

#[test]
fn dropped_pool_is_not_notified_of_free_permits() {
    let now = Instant::now();
    let old = limited([("a", 1, 1)]);
    let new = reload(&old, [backend("a").max_concurrency(3)]);
    let queue = Arc::downgrade(&old.inner.queue);
    let under_way = select(&old, now);
    drop(old);
    assert!(queue.upgrade().is_some());
    drop(under_way);
    assert!(queue.upgrade().is_none());

    // The new pool never was at its limit of three: no request is woken.
    let [one, two] = [0, 1].map(|_| select(&new, now));
    let [mut waiting] = waiting(&new, now);
    drop((one, two));
    assert!(!poll(&mut waiting));
}

#[test]
fn invalid_list_is_refused_and_leaves_the_old_pool_unchanged() {
    let now = Instant::now();
    let old = limited([("a", 1, 2)]);
    let build = |builder: BackendBuilder| builder.build().unwrap();
    let limited = || build(backend("a").max_concurrency(1));
    assert_eq!(old.with_backends([]).unwrap_err(), InvalidPool::Empty);
    assert_eq!(
        old.with_backends([limited(), limited()]).unwrap_err(),
        InvalidPool::DuplicateLabel("a".into())
    );
    let held = select(&old, now);
    let [mut first] = waiting(&old, now);
    held.release();
    assert!(!poll(&mut first));
}

/// Repeats the test of the same name for two pools with different limits. If a wake-up is lost, a thread waits for ever.
#[test]
fn no_request_waits_for_ever() {
    let now = Instant::now();
    let old = limited([("a", 1, 2)]);
    let new = reload(&old, [backend("a").max_concurrency(1)]);
    std::thread::scope(|scope| {
        for seed in 0..8 {
            let pool = if seed % 2 == 0 { &old } else { &new };
            scope.spawn(move || {
                let mut rng = SmallRng::seed_from_u64(seed);
                for _ in 0..300 {
                    wait_for_permit(pool, Scope::BACKEND, now, rng.random_ratio(1, 4));
                }
            });
        }
    });
    assert_eq!(in_flight(&new), [0]);
}

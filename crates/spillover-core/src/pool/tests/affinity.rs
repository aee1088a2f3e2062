//! Requests that belong to a backend.

use super::{
    places::limited,
    waiting::{poll, wait},
    *,
};
use crate::layer::SelectedProtocol;

fn select_for(pool: &Pool, affinity: Affinity, now: Instant) -> Result<Selected, Exhausted> {
    let query = Query::new().affinity(affinity);
    pool.select(&query, now, 0)
}

fn to(pool: &Pool, affinity: Affinity, now: Instant) -> Result<String, Duration> {
    label(select_for(pool, affinity, now))
}

/// Returns a key that belongs to the backend with this label in the best tier.
fn key_of(pool: &Pool, home: &str) -> Affinity {
    let keys = (0..).map(|i: u32| Affinity::by_key(i.to_be_bytes()));
    let mut keys = keys.filter(|&key| to(pool, key, Instant::now()).is_ok_and(|it| it == home));
    keys.next().unwrap()
}

fn two_tiers() -> Pool {
    pool([("a", 1, 1), ("b", 1, 1), ("c", 1, 1), ("z", 2, 1)])
}

#[test]
fn key_goes_elsewhere_while_its_backend_is_closed_and_then_back() {
    let now = Instant::now();
    let pool = two_tiers();
    let key = key_of(&pool, "b");
    let at = |seconds: u32| to(&pool, key, now + SECOND * seconds).unwrap();
    throttle(&pool, 1, SECOND * 5, now);
    let second = at(0);
    assert!(["a", "c"].contains(&&*second));
    assert_eq!(at(4), second);
    assert_eq!(at(5), "b");

    // The next tier serves when there is no more in this one, and only then.
    let rest = ["a", "c"].into_iter().find(|it| *it != second).unwrap();
    throttle(&pool, 1, SECOND * 9, now);
    throttle(&pool, if second == "a" { 0 } else { 2 }, SECOND * 8, now);
    assert_eq!(at(0), rest);
    throttle(&pool, if rest == "a" { 0 } else { 2 }, SECOND * 7, now);
    assert_eq!(at(0), "z");
    assert_eq!([at(7), at(8), at(9)], [rest, &second, "b"]);
}

#[test]
fn key_goes_where_the_request_has_not_been() {
    let now = Instant::now();
    let pool = two_tiers();
    let key = key_of(&pool, "b");
    let attempts = Attempts::new();
    let mut seen = Vec::new();
    let query = Query::new().attempts(&attempts).affinity(key);
    while let Ok(selected) = pool.select(&query, now, 0) {
        assert!(!selected.is_pinned());
        attempts.mark(selected.index());
        seen.push(selected.backend().label().to_owned());
    }
    assert_eq!((&*seen[0], &*seen[3]), ("b", "z"));
    assert_eq!(seen.len(), 4);
    assert!(!pool.has_candidate(&query, now));
}

#[test]
fn key_goes_elsewhere_while_its_backend_is_full() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 1, 1)]);
    let key = key_of(&pool, "b");
    let held = select_for(&pool, key, now).unwrap();
    assert_eq!(held.backend().label(), "b");
    let spilled = select_for(&pool, key, now).unwrap();
    assert_eq!(spilled.backend().label(), "a");
    drop(held);
    assert_eq!(to(&pool, key, now).unwrap(), "b");
}

#[test]
fn key_finds_its_backend_among_failing_ones() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]);
    let keys = ["a", "b", "c"].map(|label| key_of(&pool, label));
    (0..3).for_each(|index| fail(&pool, index, SECOND * 9, now));
    let found = keys.map(|key| to(&pool, key, now).unwrap());
    assert_eq!(found, ["a", "b", "c"]);
}

#[test]
fn neither_the_draw_nor_the_strategy_decides_for_a_key() {
    let now = Instant::now();
    let pool = two_tiers();
    let query = Query::new().affinity(key_of(&pool, "b"));
    let last = |candidates: &Candidates<'_>, _: u64| candidates.iter().last().unwrap().index();
    for draw in [0, u64::MAX / 2, u64::MAX] {
        let by_weight = pool.select(&query, now, draw);
        let by_strategy = pool.select(&query.strategy(&last), now, draw);
        assert_eq!(
            [by_weight, by_strategy].map(label),
            ["b", "b"].map(|it| Ok(it.into()))
        );
    }
}

#[test]
fn label_goes_before_the_tiers_while_its_backend_is_open() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("z", 9, 1)]);
    let to_z = |now| to(&pool, Affinity::to_backend("z"), now).unwrap();
    assert_eq!(to_z(now), "z");
    throttle(&pool, 1, SECOND, now);
    assert_eq!([to_z(now), to_z(now + SECOND)], ["a", "z"]);
    // One that fails is no better for it than for others.
    fail(&pool, 1, SECOND * 5, now);
    assert_eq!(to_z(now + SECOND), "a");
    let probe = select_for(&pool, Affinity::to_backend("z"), now + SECOND * 5).unwrap();
    assert!(probe.is_probe() && probe.is_spill());
    assert_eq!(to_z(now + SECOND * 5), "a");
}

#[test]
fn label_that_no_backend_has_is_no_affinity() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    for affinity in [
        Affinity::to_backend("c"),
        Affinity::to_backend("c").pinned(),
        Affinity::to_backend("").pinned(),
    ] {
        let selected = select_for(&pool, affinity, now).unwrap();
        assert_eq!(selected.backend().label(), "a");
        assert!(!selected.is_pinned());
        let attempts = Attempts::new();
        attempts.mark(0);
        assert!(selected.has_candidate(&attempts, now));
    }
    throttle(&pool, 0, SECOND, now);
    assert_eq!(
        to(&pool, Affinity::to_backend("c").pinned(), now).unwrap(),
        "b"
    );
}

#[test]
fn pinned_request_goes_nowhere_else() {
    let now = Instant::now();
    let pool = two_tiers();
    for (index, affinity) in [(1, key_of(&pool, "b")), (3, Affinity::to_backend("z"))] {
        let pinned = affinity.pinned();
        let selected = select_for(&pool, pinned, now).unwrap();
        assert_eq!(selected.index(), index);
        assert!(selected.is_pinned());

        // The request was refused there.
        let attempts = Attempts::new();
        attempts.mark(index);
        let query = Query::new().attempts(&attempts).affinity(pinned);
        assert!(!pool.has_candidate(&query, now) && !selected.has_candidate(&attempts, now));
        assert!(pool.has_candidate(&Query::new().attempts(&attempts), now));
        assert!(pool.select(&query, now, 0).is_err());
        assert!(pool.first(&query, now).is_none());
        assert_eq!(pool.exhausted(&query, now).reopens_in(), Duration::ZERO);

        let outcome = Outcome::throttled(SECOND * 5).with_message("slow down");
        selected.record(&outcome, now);
        let exhausted = select_for(&pool, pinned, now).unwrap_err();
        assert_eq!(exhausted, selected.exhausted(now));
        assert_eq!(exhausted.reopens_in(), SECOND * 5);
        assert_eq!(exhausted.cause().unwrap().message(), Some("slow down"));
        assert!(pool.has_candidate(&Query::new(), now));
        assert!(!pool.has_candidate(&Query::new().affinity(pinned), now));
        let first = pool.first(&Query::new().affinity(pinned), now).unwrap();
        assert_eq!(first.index(), index);

        assert!(select_for(&pool, pinned, now + SECOND * 5).is_ok());
    }
}

#[test]
fn pinned_key_keeps_its_backend_when_others_are_open_or_better() {
    let now = Instant::now();
    let pool = two_tiers();
    let pinned = key_of(&pool, "b").pinned();
    // Not where it would go meanwhile, if it were not pinned.
    (0..3).for_each(|index| throttle(&pool, index, SECOND * (index as u32 + 1), now));
    assert_eq!(to(&pool, pinned, now), Err(SECOND * 2));
    assert_eq!(to(&pool, pinned, now + SECOND), Err(SECOND));
    assert_eq!(to(&pool, pinned, now + SECOND * 2).unwrap(), "b");
}

#[test]
fn pinned_request_tries_its_failing_backend_as_a_last_resort() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    fail(&pool, 1, SECOND * 5, now);
    let pinned = Affinity::to_backend("b").pinned();
    let last_resort = select_for(&pool, pinned, now).unwrap();
    assert_eq!(last_resort.index(), 1);
    assert!(!last_resort.is_probe());
    assert!(
        select_for(&pool, pinned, now + SECOND * 5)
            .unwrap()
            .is_probe()
    );
}

#[test]
fn pinned_request_is_told_of_the_places_of_its_backend_only() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 2, 1)]);
    let [to_a, to_b] = ["a", "b"].map(|label| Affinity::to_backend(label).pinned());
    let at_b = select_for(&pool, to_b, now).unwrap();
    let full = select_for(&pool, to_b, now).unwrap_err();
    assert!(full.may_open_sooner() && full.cause().is_none());
    assert!(pool.first(&Query::new().affinity(to_b), now).is_none());
    throttle(&pool, 0, SECOND * 3, now);
    let throttled = select_for(&pool, to_a, now).unwrap_err();
    assert!(!throttled.may_open_sooner());
    assert_eq!(throttled.reopens_in(), SECOND * 3);
    drop(at_b);
    assert!(select_for(&pool, to_b, now).is_ok());
}

#[test]
fn request_that_waits_for_another_backend_leaves_the_permit_to_the_next() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 2, 1)]);
    let [at_a, _at_b] = [0, 1].map(|_| select(&pool, now));
    let to_b = Query::new().affinity(Affinity::to_backend("b").pinned());
    let mut for_b = wait(&pool, &to_b, now);
    let mut for_any = wait(&pool, &Query::new(), now);
    at_a.release();
    assert!(poll(&mut for_b) && !poll(&mut for_any));
    assert!(select_for(&pool, Affinity::to_backend("b").pinned(), now).is_err());
    for_b.missed(now);
    assert!(poll(&mut for_any) && !poll(&mut for_b));
}

#[test]
fn first_of_the_list_is_one_that_was_not_tried() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let attempts = Attempts::new();
    attempts.mark(0);
    let first = pool.first(&Query::new().attempts(&attempts), now).unwrap();
    assert_eq!(first.backend().label(), "b");
}

#[test]
fn affinity_does_not_print_its_key() {
    let printed = [
        Affinity::by_key("hunter2"),
        Affinity::to_backend("hunter2").pinned(),
    ];
    let printed = printed.map(|affinity| format!("{affinity:?}"));
    assert_eq!(printed[0], r#"Affinity { by: "key", is_pinned: false }"#);
    assert_eq!(printed[1], r#"Affinity { by: "label", is_pinned: true }"#);
}

//! Selection for requests with an affinity to one backend.

use super::{
    permits::limited,
    waiting::{poll, wait},
    *,
};
use crate::layer::SelectedProtocol;

fn select_for(pool: &Pool, affinity: Affinity, now: Instant) -> Result<Selected, Exhausted> {
    let query = Query::new().affinity(affinity);
    pool.select(&query, now, 0)
}

fn label_for(pool: &Pool, affinity: Affinity, now: Instant) -> Result<String, Duration> {
    label(select_for(pool, affinity, now))
}

/// Returns a key that belongs to the backend with this label in the best tier.
fn key_of(pool: &Pool, home: &str) -> Affinity {
    let keys = (0..).map(|i: u32| Affinity::by_key(i.to_be_bytes()));
    let mut keys =
        keys.filter(|&key| label_for(pool, key, Instant::now()).is_ok_and(|it| it == home));
    keys.next().unwrap()
}

fn two_tiers() -> Pool {
    pool([("a", 1, 1), ("b", 1, 1), ("c", 1, 1), ("z", 2, 1)])
}

#[test]
fn key_returns_to_its_backend_when_the_throttle_ends() {
    let now = Instant::now();
    let pool = two_tiers();
    let key = key_of(&pool, "b");
    let at = |seconds: u32| label_for(&pool, key, now + SECOND * seconds).unwrap();
    throttle(&pool, 1, SECOND * 5, now);
    let second = at(0);
    assert!(["a", "c"].contains(&&*second));
    assert_eq!(at(4), second);
    assert_eq!(at(5), "b");

    // The next tier serves only when no backend of the first tier is open.
    let rest = ["a", "c"].into_iter().find(|it| *it != second).unwrap();
    throttle(&pool, 1, SECOND * 9, now);
    throttle(&pool, if second == "a" { 0 } else { 2 }, SECOND * 8, now);
    assert_eq!(at(0), rest);
    throttle(&pool, if rest == "a" { 0 } else { 2 }, SECOND * 7, now);
    assert_eq!(at(0), "z");
    assert_eq!([at(7), at(8), at(9)], [rest, &second, "b"]);
}

#[test]
fn retry_with_a_key_visits_every_backend_once() {
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
fn key_spills_while_its_backend_is_full() {
    let now = Instant::now();
    let pool = limited([("a", 1, 1), ("b", 1, 1)]);
    let key = key_of(&pool, "b");
    let held = select_for(&pool, key, now).unwrap();
    assert_eq!(held.backend().label(), "b");
    let spilled = select_for(&pool, key, now).unwrap();
    assert_eq!(spilled.backend().label(), "a");
    drop(held);
    assert_eq!(label_for(&pool, key, now).unwrap(), "b");
}

#[test]
fn key_keeps_its_backend_when_all_backends_fail() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]);
    let keys = ["a", "b", "c"].map(|label| key_of(&pool, label));
    (0..3).for_each(|index| fail(&pool, index, SECOND * 9, now));
    let found = keys.map(|key| label_for(&pool, key, now).unwrap());
    assert_eq!(found, ["a", "b", "c"]);
}

#[test]
fn draw_and_strategy_are_ignored_for_a_key() {
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
fn label_takes_precedence_over_tiers_while_its_backend_is_open() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("z", 9, 1)]);
    let to_z = |now| label_for(&pool, Affinity::to_backend("z"), now).unwrap();
    assert_eq!(to_z(now), "z");
    throttle(&pool, 1, SECOND, now);
    assert_eq!([to_z(now), to_z(now + SECOND)], ["a", "z"]);
    // A failing backend is passed over, as for requests without affinity.
    fail(&pool, 1, SECOND * 5, now);
    assert_eq!(to_z(now + SECOND), "a");
    let probe = select_for(&pool, Affinity::to_backend("z"), now + SECOND * 5).unwrap();
    assert!(probe.is_probe() && probe.is_spill());
    assert_eq!(to_z(now + SECOND * 5), "a");
}

#[test]
fn unknown_label_is_ignored() {
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
        label_for(&pool, Affinity::to_backend("c").pinned(), now).unwrap(),
        "b"
    );
}

#[test]
fn pinned_request_is_never_sent_to_another_backend() {
    let now = Instant::now();
    let pool = two_tiers();
    for (index, affinity) in [(1, key_of(&pool, "b")), (3, Affinity::to_backend("z"))] {
        let pinned = affinity.pinned();
        let selected = select_for(&pool, pinned, now).unwrap();
        assert_eq!(selected.index(), index);
        assert!(selected.is_pinned());

        // The backend refused the request.
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
fn pinned_key_waits_for_its_backend_while_others_are_open() {
    let now = Instant::now();
    let pool = two_tiers();
    let pinned = key_of(&pool, "b").pinned();
    // Without the pin, the key would spill to another backend.
    (0..3).for_each(|index| throttle(&pool, index, SECOND * (index as u32 + 1), now));
    assert_eq!(label_for(&pool, pinned, now), Err(SECOND * 2));
    assert_eq!(label_for(&pool, pinned, now + SECOND), Err(SECOND));
    assert_eq!(label_for(&pool, pinned, now + SECOND * 2).unwrap(), "b");
}

#[test]
fn pinned_request_uses_its_failing_backend_as_last_resort() {
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
fn pinned_request_sees_the_permits_of_its_backend_only() {
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
fn permit_skips_a_request_that_waits_for_another_backend() {
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
fn first_skips_tried_backends() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let attempts = Attempts::new();
    attempts.mark(0);
    let first = pool.first(&Query::new().attempts(&attempts), now).unwrap();
    assert_eq!(first.backend().label(), "b");
}

#[test]
fn affinity_hides_its_key_in_debug_output() {
    let printed = [
        Affinity::by_key("hunter2"),
        Affinity::to_backend("hunter2").pinned(),
    ];
    let printed = printed.map(|affinity| format!("{affinity:?}"));
    assert_eq!(printed[0], r#"Affinity { by: "key", is_pinned: false }"#);
    assert_eq!(printed[1], r#"Affinity { by: "label", is_pinned: true }"#);
}

//! Assignment of keys to backends, and the keys that move when backends change.

use proptest::{
    collection::vec,
    prelude::{Just, ProptestConfig, prop, prop_assert_eq, prop_oneof, proptest},
    strategy::Strategy as _,
};

use super::*;

fn home(pool: &Pool, key: impl AsRef<[u8]>) -> String {
    let query = Query::new().affinity(Affinity::by_key(key));
    // A random draw: the key alone decides.
    let draw = rand::random();
    let selected = pool.select(&query, Instant::now(), draw);
    label(selected).expect("all are open")
}

/// Returns the backends in the order in which the key prefers them.
fn order(pool: &Pool, key: impl AsRef<[u8]>) -> Vec<String> {
    let attempts = Attempts::new();
    let query = Query::new()
        .attempts(&attempts)
        .affinity(Affinity::by_key(key));
    let next = || pool.select(&query, Instant::now(), 0);
    std::iter::from_fn(|| next().ok())
        .map(|selected| {
            attempts.mark(selected.index());
            selected.backend().label().to_owned()
        })
        .collect()
}

/// Compares with results of an independent program, written from the description at [`Affinity`].
#[test]
fn key_maps_to_the_documented_backend() {
    let (s, f, p, o) = ("sweden", "france", "paris-2", "payg");
    let expected: [(&[u8], [&str; 4]); 10] = [
        (b"", [o, p, f, s]),
        (b"a", [o, f, s, p]),
        (b"user-1", [o, s, f, p]),
        (b"user-2", [s, o, f, p]),
        (b"user-3", [s, o, p, f]),
        (b"user-4", [f, o, s, p]),
        (b"session 7", [o, s, f, p]),
        (b"\x00\xff", [o, f, s, p]),
        ("Grüße".as_bytes(), [o, s, p, f]),
        (b"5f3c2a90-8c1e-4a0e-9d55-0b6f1c7e2d11", [o, s, p, f]),
    ];
    let pool = pool([(s, 1, 3), (f, 1, 2), (p, 1, 1), (o, 1, 10)]);
    for (key, expected) in expected {
        assert_eq!(order(&pool, key), expected, "{key:?}");
    }
    let keys = (0..4000).map(|i| home(&pool, format!("user-{i}")));
    let counts = keys.fold([0; 4], |mut counts, home| {
        let index = [s, f, p, o].iter().position(|it| *it == home);
        counts[index.unwrap()] += 1;
        counts
    });
    assert_eq!(counts, [766, 502, 253, 2479]);
}

#[test]
fn keys_are_distributed_by_weight() {
    let keys = 100_000;
    for weights in [[1, 1, 1, 1], [1, 2, 3, 4], [1, 1, 1, 97], [1, 999, 1, 999]] {
        let [a, b, c, d] = weights;
        let pool = pool([("a", 1, a), ("b", 1, b), ("c", 1, c), ("d", 1, d)]);
        let mut counts = [0_u32; 4];
        for key in 0..keys {
            let home = home(&pool, format!("user-{key}"));
            counts[usize::from(home.as_bytes()[0] - b'a')] += 1;
        }
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        for (count, weight) in counts.into_iter().zip(weights) {
            let p = f64::from(weight) / total;
            let expected = p * f64::from(keys);
            let sd = (expected * (1.0 - p)).sqrt();
            let off = (f64::from(count) - expected).abs();
            assert!(off <= 4.0 * sd, "{weights:?}: {counts:?}");
        }
    }
}

#[test]
fn keys_of_a_closed_backend_are_distributed_by_weight() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 1, 1), ("c", 1, 3)]);
    let keys = (0..).map(|i| format!("user-{i}"));
    let of_a: Vec<_> = keys
        .filter(|key| home(&pool, key) == "a")
        .take(8000)
        .collect();
    throttle(&pool, 0, SECOND * 1000, now);
    let to_b = of_a.iter().filter(|key| home(&pool, key) == "b").count();
    assert!((1800..2200).contains(&to_b), "{to_b}");
}

/// Creates a pool of backends, given as `(number, weight)`.
fn numbered(backends: &[(usize, u32)]) -> Pool {
    let build = |&(number, weight): &(usize, u32)| {
        let builder = Backend::builder(format!("backend-{number}")).url("http://a");
        builder.weight(weight).build().unwrap()
    };
    Pool::new(backends.iter().map(build)).unwrap()
}

fn weights() -> impl proptest::strategy::Strategy<Value = Vec<(usize, u32)>> {
    let weights = vec(prop_oneof![1_u32..10, 1_u32..1000, Just(u32::MAX)], 2..8);
    weights.prop_map(|weights| weights.into_iter().enumerate().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn adding_or_removing_a_backend_moves_only_its_own_keys(all in weights(), which: prop::sample::Index, salt: u64) {
        let changed = all[which.index(all.len())].0;
        let others: Vec<_> = all.iter().copied().filter(|it| it.0 != changed).collect();
        let (with, without) = (numbered(&all), numbered(&others));
        for key in (0..100).map(|i| format!("{salt}-{i}")) {
            let home_with = home(&with, &key);
            if home_with != format!("backend-{changed}") {
                prop_assert_eq!(home_with, home(&without, &key));
            }
        }
    }

    #[test]
    fn changing_a_weight_moves_keys_only_to_or_from_that_backend(
        before in weights(),
        which: prop::sample::Index,
        weight in 1_u32..1000,
        salt: u64,
    ) {
        let which = which.index(before.len());
        let mut after = before.clone();
        after[which].1 = weight;
        let changed = format!("backend-{which}");
        let is_more = weight > before[which].1;
        let (before, after) = (numbered(&before), numbered(&after));
        for key in (0..100).map(|i| format!("{salt}-{i}")) {
            let (old, new) = (home(&before, &key), home(&after, &key));
            if old != new {
                prop_assert_eq!(if is_more { &new } else { &old }, &changed);
            }
        }
    }

    #[test]
    fn order_of_backends_does_not_move_keys(all in weights(), turns in 0_usize..8, key: Vec<u8>) {
        let mut turned = all.clone();
        turned.rotate_left(turns % all.len());
        turned.swap(0, 1);
        prop_assert_eq!(order(&numbered(&all), &key), order(&numbered(&turned), &key));
    }
}

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::Instant;

use super::*;
use crate::{Attempts, Backend, Outcome, Pool, Query, Scope, Selected};

const MS: Duration = Duration::from_millis(1);

/// Creates a pool of one tier with these weights. The label of a backend is its index.
fn pool<const N: usize>(weights: [u32; N]) -> Pool {
    let mut index = 0..;
    Pool::new(weights.map(|weight| {
        let label = index.next().unwrap_or(0).to_string();
        let builder = Backend::builder(label).url("http://upstream.example");
        builder.weight(weight).build().expect("it is valid")
    }))
    .expect("it is valid")
}

/// Selects the backend with this index.
fn select_at(pool: &Pool, index: usize, now: Instant) -> Selected {
    let only = move |_: &Candidates<'_>, _| index;
    let selected = pool.select(&Query::new().strategy(&only), now, 0);
    selected.expect("it is open")
}

/// Records that the backend with this index served in this time.
fn record_success(pool: &Pool, index: usize, took: Duration, now: Instant) {
    let begun = now.checked_sub(took).expect("there was a time before");
    select_at(pool, index, begun).record(&Outcome::success(), now);
}

/// Returns the number of requests that each backend gets. No request ends in between.
fn count_requests<const N: usize>(pool: &Pool, requests: u32, now: Instant) -> [u32; N] {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut drawn = [0; N];
    let held: Vec<_> = (0..requests)
        .map(|_| by_latency(pool, now, rng.random()))
        .collect();
    for selected in held {
        drawn[selected.index()] += 1;
    }
    drawn
}

fn by_latency(pool: &Pool, now: Instant, draw: u64) -> Selected {
    let selected = pool.select(&Query::new().strategy(&PeakEwma::default()), now, draw);
    selected.expect("all are open")
}

#[test]
fn default_strategy_selects_by_weight() {
    let now = Instant::now();
    let pool = pool([1, 2, 5]);
    let mut rng = SmallRng::seed_from_u64(7);
    for _ in 0..1000 {
        let draw = rng.random();
        let by_default = pool.select(&Query::new(), now, draw);
        let weighted = Weighted::default();
        let by_weight = pool.select(&Query::new().strategy(&weighted), now, draw);
        let [by_default, by_weight] = [by_default, by_weight].map(|it| it.expect("open").index());
        assert_eq!(by_default, by_weight);
    }
}

#[test]
fn strategy_sees_only_open_untried_backends_of_the_tier() {
    let now = Instant::now();
    let pool = pool([1, 2, 5, 1]);
    record_success(&pool, 2, 40 * MS, now);
    select_at(&pool, 1, now).record(&Outcome::throttled(10 * MS), now);
    let held = select_at(&pool, 2, now);
    let attempts = Attempts::new();
    attempts.mark(3);

    let strategy = |candidates: &Candidates<'_>, _| {
        let seen: Vec<_> = candidates
            .iter()
            .map(|it| (it.index(), it.weight(), it.in_flight(), it.latency()))
            .collect();
        assert_eq!(seen, [(0, 1, 0, None), (2, 5, 1, Some(40 * MS))]);
        assert!(candidates.get(1).is_none() && candidates.get(usize::MAX).is_none());
        assert_eq!(candidates.get(2).map(|it| it.backend().weight()), Some(5));
        2
    };
    let selected = pool.select(
        &Query::new().attempts(&attempts).strategy(&strategy),
        now,
        0,
    );
    assert_eq!(selected.expect("two are open").index(), 2);
    drop(held);
}

#[test]
fn invalid_index_of_a_strategy_falls_back_to_the_draw() {
    let now = Instant::now();
    let pool = pool([1, 1]);
    select_at(&pool, 0, now).record(&Outcome::throttled(10 * MS), now);
    for invalid in [0, 2, 64, 1000, usize::MAX] {
        assert_eq!(select_at(&pool, invalid, now).index(), 1);
    }
}

#[test]
fn selection_ends_after_other_requests_took_every_chosen_permit() {
    let now = Instant::now();
    let limited = |label| {
        let builder = Backend::builder(label).url("http://upstream.example");
        builder.max_concurrency(1).build().expect("it is valid")
    };
    let pool = Pool::new(["a", "b"].map(limited)).expect("it is valid");
    // Another request acquires the permit after the strategy has chosen.
    let others = std::sync::Mutex::new(Vec::new());
    let raced = |candidates: &Candidates<'_>, draw| {
        let chosen = candidates.by_weight(draw);
        others
            .lock()
            .expect("no panic")
            .push(select_at(&pool, chosen, now));
        chosen
    };
    assert!(pool.select(&Query::new().strategy(&raced), now, 0).is_err());
    assert_eq!(others.lock().expect("no panic").len(), 2);
}

#[test]
fn strategy_can_be_a_trait_object() {
    let strategies: [Box<dyn Strategy + Sync>; 2] =
        [Box::new(Weighted::default()), Box::new(PeakEwma::default())];
    let pool = pool([1]);
    for strategy in strategies {
        let selected = pool.select(&Query::new().strategy(&*strategy), Instant::now(), 0);
        assert!(selected.is_ok());
    }
}

#[test]
fn faster_backend_gets_requests_in_proportion_to_its_speed() {
    let now = Instant::now();
    let pool = pool([1, 1]);
    record_success(&pool, 0, 300 * MS, now);
    record_success(&pool, 1, 100 * MS, now);
    // One request in flight at the slow backend weighs as much as three at the fast one.
    let [slow, fast] = count_requests(&pool, 400, now);
    assert!((95..=105).contains(&slow), "{slow} and {fast}");
}

#[test]
fn latency_strategy_respects_weights() {
    let now = Instant::now();
    let pool = pool([1, 3]);
    record_success(&pool, 0, 100 * MS, now);
    record_success(&pool, 1, 100 * MS, now);
    let [light, heavy] = count_requests(&pool, 400, now);
    assert!((95..=105).contains(&light), "{light} and {heavy}");
}

#[test]
fn slowest_of_five_backends_gets_the_fewest_requests() {
    let now = Instant::now();
    let pool = pool([1; 5]);
    for index in 0..5 {
        let took = if index == 2 { 2000 * MS } else { 100 * MS };
        record_success(&pool, index, took, now);
    }
    let drawn: [u32; 5] = count_requests(&pool, 1000, now);
    let slow = drawn[2];
    assert!(slow < 30, "{drawn:?}");
    assert!(
        drawn
            .iter()
            .enumerate()
            .all(|(index, &n)| index == 2 || n > 200),
        "{drawn:?}"
    );
}

#[test]
fn backend_of_unknown_latency_gets_one_request_at_a_time() {
    let now = Instant::now();
    let pool = pool([5, 1]);
    record_success(&pool, 0, MS, now);
    for draw in [0, u64::MAX / 2, u64::MAX] {
        let exploring = by_latency(&pool, now, draw);
        assert_eq!(exploring.index(), 1);
        // While that request is in flight, the known backend is preferred.
        let next = by_latency(&pool, now, draw);
        assert_eq!(next.index(), 0);
    }
}

#[test]
fn refusal_does_not_lower_the_latency_and_cancelled_attempt_raises_it() {
    let now = Instant::now();
    let pool = pool([1, 1]);
    record_success(&pool, 0, 100 * MS, now);
    select_at(&pool, 1, now).record(&Outcome::client_error(), now + MS);
    for _ in 0..10 {
        assert_eq!(by_latency(&pool, now + MS, 0).index(), 0);
    }
    // An attempt that was cancelled after 5 s took at least 5 s.
    select_at(&pool, 0, now).cancel(now + 5000 * MS);
    let later = now + 5000 * MS;
    let selected = select_at(&pool, 0, later);
    assert_eq!(
        crate::layer::SelectedProtocol::latency(&selected, later),
        Some(5000 * MS)
    );
    // The snapshot shows the latency of served responses only.
    let snapshot = &pool.snapshot(Scope::BACKEND, later)[0];
    assert_eq!(snapshot.latency(), Some(100 * MS));
}

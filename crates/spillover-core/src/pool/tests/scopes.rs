use std::time::Duration;

use spillover_hint::{Dimension, Source};
use tokio::time::Instant;

use super::{SECOND, pool};
use crate::layer::SelectedProtocol;
use crate::{Backend, Class, Condition, Cooldown, Outcome, Pool, Query, Scope, Selected};

fn select(pool: &Pool, scope: Scope, now: Instant) -> Selected {
    pool.select(&Query::new().scope(scope), now, 0)
        .expect("one is open")
}

fn is_open(pool: &Pool, scope: Scope, now: Instant) -> bool {
    pool.select(&Query::new().scope(scope), now, 0).is_ok()
}

fn throttled(for_: Duration) -> Outcome {
    Outcome::throttled(for_)
}

#[test]
fn refusal_of_one_scope_leaves_the_others_open() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let [small, large] = ["small", "large"].map(Scope::named);
    select(&pool, large, now).record(&throttled(SECOND), now);

    assert!(!is_open(&pool, large, now));
    assert!(is_open(&pool, small, now));
    assert!(is_open(&pool, Scope::BACKEND, now));
    assert!(is_open(&pool, large, now + SECOND));
}

#[test]
fn snapshot_counts_throttled_scopes() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    for (name, seconds) in [("small", 1), ("large", 2)] {
        let selected = select(&pool, Scope::named(name), now);
        selected.record(&throttled(SECOND * seconds), now);
    }
    let count = |now| pool.snapshot(Scope::BACKEND, now)[0].throttled_scopes();
    assert_eq!(count(now), 2);
    assert_eq!(count(now + SECOND), 1);
    assert_eq!(count(now + 2 * SECOND), 0);
}

#[test]
fn snapshot_shows_the_throttle_that_ends_last() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let longest = |now| {
        let snapshot = pool.snapshot(Scope::BACKEND, now).remove(0);
        let (left, cause) = snapshot.longest_throttle()?;
        Some((left, cause.message().map(str::to_owned)))
    };
    assert_eq!(longest(now), None);
    for (name, seconds) in [("small", 1), ("large", 3), ("medium", 2)] {
        let outcome = throttled(SECOND * seconds).with_message(name);
        select(&pool, Scope::named(name), now).record(&outcome, now);
    }
    let large = Some("large".to_owned());
    assert_eq!(longest(now), Some((3 * SECOND, large.clone())));
    assert_eq!(longest(now + 2 * SECOND), Some((SECOND, large)));
    assert_eq!(longest(now + 3 * SECOND), None);
}

#[test]
fn refusal_without_a_scope_closes_all_scopes() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    select(&pool, Scope::BACKEND, now).record(&throttled(SECOND), now);
    assert!(!is_open(&pool, Scope::named("any"), now));
}

#[test]
fn failure_closes_all_scopes() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    select(&pool, Scope::named("one"), now).record(&Outcome::failing(SECOND), now);
    assert_eq!(
        select(&pool, Scope::named("two"), now).backend().label(),
        "b"
    );
}

#[test]
fn configured_deployment_merges_scopes_of_all_deployments_and_models() {
    let now = Instant::now();
    let backend = Backend::builder("a").url("http://a").deployment("only");
    let pool = Pool::new([backend.build().unwrap()]).unwrap();
    let deployment = |name: &str| Scope::of_path(&format!("/deployments/{name}/chat")).unwrap();
    select(&pool, deployment("one"), now).record(&throttled(SECOND), now);
    assert!(!is_open(&pool, deployment("two"), now));
    let in_capitals = Scope::of_path("/Deployments/three/chat");
    assert_eq!(in_capitals, Some(deployment("three")));
    // The configured deployment replaces the model in the body too. Scopes with other names stay separate.
    assert!(!is_open(&pool, Scope::of_model("two"), now));
    assert!(is_open(&pool, Scope::named("two"), now));
}

#[test]
fn configured_model_merges_scopes_of_all_models() {
    let now = Instant::now();
    let open = |kind: crate::BackendKind, scope: Scope| {
        let backend = Backend::builder("a").url("http://a").model("only");
        let pool = Pool::new([backend.kind(kind).build().unwrap()]).unwrap();
        select(&pool, Scope::of_model("one"), now).record(&throttled(SECOND), now);
        is_open(&pool, scope, now)
    };
    let (azure, openai) = (crate::BackendKind::Azure, crate::BackendKind::OpenAi);
    assert!(!open(azure, Scope::of_model("two")));
    // Azure reads the deployment in the path, which is not replaced. For OpenAI it becomes the model.
    assert!(open(azure, Scope::of_deployment("two")));
    assert!(!open(openai, Scope::of_deployment("two")));
}

#[test]
fn clients_with_own_credentials_have_separate_limits() {
    let now = Instant::now();
    let key = crate::Credential::api_key("k").unwrap();
    let own = Backend::builder("own").url("http://a").credential(key);
    let passing = Backend::builder("passing").url("http://b");
    let [own, passing] = [own, passing].map(|b| Pool::new([b.build().unwrap()]).unwrap());
    assert!(!own.forwards_credentials() && passing.forwards_credentials());

    let client = |name: &str, scope: Scope| {
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {name}").parse().unwrap());
        scope.of_client(&headers)
    };
    let [gpt, o3] = ["gpt", "o3"].map(Scope::named);
    for (pool, is_shared) in [(&own, true), (&passing, false)] {
        select(pool, client("poor", gpt), now).record(&throttled(SECOND), now);
        assert!(!is_open(pool, client("poor", gpt), now));
        assert!(is_open(pool, client("poor", o3), now));
        assert_eq!(is_open(pool, client("rich", gpt), now), !is_shared);

        select(pool, client("poor", Scope::BACKEND), now).record(&throttled(SECOND), now);
        assert!(!is_open(pool, client("poor", o3), now));
        assert_eq!(is_open(pool, client("rich", o3), now), !is_shared);
    }
}

#[test]
fn number_of_scopes_is_bounded_and_the_first_to_open_is_evicted() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let scope = |i: u32| Scope::named(&i.to_string());
    for i in 1..=100 {
        select(&pool, scope(i), now).record(&throttled(SECOND * i), now);
    }
    let closed = (1..=100)
        .filter(|&i| !is_open(&pool, scope(i), now))
        .count();
    assert_eq!(closed, 64);
    assert!(!is_open(&pool, scope(100), now));
    assert!(is_open(&pool, scope(1), now));
}

#[test]
fn floor_doubles_while_requests_after_the_wait_are_refused() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let mut waits = Vec::new();
    for _ in 0..6 {
        select(&pool, Scope::BACKEND, now).record(&throttled(Duration::ZERO), now);
        let wait = pool.exhausted(&Query::new(), now).reopens_in();
        waits.push(wait.as_millis());
        now += wait;
    }
    assert_eq!(waits, [100, 200, 400, 800, 1600, 3200]);

    // A request was served: the floor of the next refusal is the initial one.
    select(&pool, Scope::BACKEND, now).record(&Outcome::success(), now);
    select(&pool, Scope::BACKEND, now).record(&throttled(Duration::ZERO), now);
    let wait = pool.exhausted(&Query::new(), now).reopens_in();
    assert_eq!(wait, Cooldown::FLOOR);
}

#[test]
fn stated_wait_above_the_floor_is_not_lengthened() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    for _ in 0..4 {
        select(&pool, Scope::BACKEND, now).record(&throttled(SECOND), now);
        assert_eq!(pool.exhausted(&Query::new(), now).reopens_in(), SECOND);
        now += SECOND;
    }
}

#[test]
fn floor_does_not_grow_beyond_the_cap() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let cooldowns = crate::Cooldowns::default().cap(SECOND);
    for _ in 0..8 {
        let cooldown = cooldowns.resolve(Class::Throttled, None, 0);
        select(&pool, Scope::BACKEND, now).record(&Outcome::new(Class::Throttled, cooldown), now);
        let wait = pool.exhausted(&Query::new(), now).reopens_in();
        assert!(wait <= SECOND, "{wait:?}");
        now += wait;
    }
}

#[test]
fn refusal_of_a_request_from_before_the_throttle_does_not_raise_the_floor() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let slow = select(&pool, Scope::BACKEND, now);
    select(&pool, Scope::BACKEND, now).record(&throttled(Duration::ZERO), now);
    let opened = now + Cooldown::FLOOR;
    slow.record(&throttled(Duration::ZERO), opened);
    let wait = pool.exhausted(&Query::new(), opened).reopens_in();
    assert_eq!(wait, Cooldown::FLOOR);
}

#[test]
fn refusal_long_after_the_last_resets_the_floor() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    select(&pool, Scope::BACKEND, now).record(&throttled(Duration::ZERO), now);
    let later = now + SECOND * 6;
    select(&pool, Scope::BACKEND, later).record(&throttled(Duration::ZERO), later);
    let wait = pool.exhausted(&Query::new(), later).reopens_in();
    assert_eq!(wait, Cooldown::FLOOR);
}

#[test]
fn quota_closes_the_scope_and_too_large_request_closes_nothing() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let scope = Scope::named("one");
    let cooldown = Cooldown::new(SECOND, None);
    select(&pool, scope, now).record(&Outcome::new(Class::TooLarge, cooldown), now);
    assert!(is_open(&pool, scope, now));
    select(&pool, scope, now).record(&Outcome::new(Class::Quota, cooldown), now);
    assert!(!is_open(&pool, scope, now));
    assert!(is_open(&pool, Scope::named("two"), now));
}

#[test]
fn exhausted_has_the_cause_of_the_backend_that_opens_first() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let quota = Outcome::new(Class::Quota, Cooldown::new(SECOND * 60, None)).with_message("spent");
    select(&pool, Scope::BACKEND, now).record(&quota, now);
    let limit = Cooldown::new(SECOND, Some(Source::RetryAfterMs));
    let limit = Outcome::new(Class::Throttled, limit).with_message("slow down");
    select(&pool, Scope::BACKEND, now).record(&limit, now);

    let cause = pool.exhausted(&Query::new(), now).cause().cloned().unwrap();
    assert_eq!(cause.class(), Class::Throttled);
    assert_eq!(cause.source(), Some(Source::RetryAfterMs));
    assert_eq!(cause.message(), Some("slow down"));

    let later = now + SECOND;
    select(&pool, Scope::BACKEND, later).record(&throttled(SECOND * 90), later);
    let cause = pool
        .exhausted(&Query::new(), later)
        .cause()
        .cloned()
        .unwrap();
    assert_eq!(cause.class(), Class::Quota);
    assert_eq!(cause.message(), Some("spent"));
}

#[test]
fn snapshot_shows_conditions_causes_and_counts() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let attempt = || select(&pool, Scope::BACKEND, now);
    let served = attempt();
    served.record(&Outcome::success(), now);
    served.record_broken();
    served.record_broken();
    attempt().record(&Outcome::client_error(), now);
    attempt().cancel(now);
    attempt().record(&Outcome::failing(SECOND).with_message("down"), now);
    attempt().record(&throttled(SECOND).with_message("slow down"), now);

    let snapshot = pool.snapshot(Scope::BACKEND, now).remove(0);
    assert_eq!(snapshot.condition(), Condition::Throttled(SECOND));
    assert_eq!(snapshot.cause().unwrap().message(), Some("slow down"));
    let counts = snapshot.counts();
    assert_eq!(
        [
            counts.answered,
            counts.refused,
            counts.failed,
            counts.cancelled,
            counts.broken
        ],
        [2, 1, 1, 1, 1]
    );

    let snapshot = pool.snapshot(Scope::BACKEND, now + SECOND).remove(0);
    assert_eq!(snapshot.condition(), Condition::Open);
    assert!(snapshot.cause().is_none());
}

#[test]
fn refusals_of_concurrent_threads_are_all_recorded() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    std::thread::scope(|threads| {
        for i in 0..8 {
            let pool = &pool;
            threads.spawn(move || {
                for j in 0..8 {
                    let scope = Scope::named(&format!("{i}-{j}"));
                    select(pool, scope, now).record(&throttled(SECOND), now);
                }
            });
        }
    });
    for name in (0..8).flat_map(|i| (0..8).map(move |j| format!("{i}-{j}"))) {
        assert!(!is_open(&pool, Scope::named(&name), now), "{name}");
    }
}

#[test]
fn first_request_after_the_wait_has_obeyed_until_a_request_is_served() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let early = select(&pool, Scope::BACKEND, now);
    assert!(!early.has_obeyed(now));
    early.record(&throttled(SECOND), now);

    let opened = now + SECOND;
    let obedient = select(&pool, Scope::BACKEND, opened);
    assert!(obedient.has_obeyed(opened));
    assert!(!early.has_obeyed(opened));
    assert!(!select(&pool, Scope::named("other"), opened).has_obeyed(opened));

    obedient.record(&Outcome::success(), opened);
    assert!(!select(&pool, Scope::BACKEND, opened).has_obeyed(opened));
}

#[test]
fn lowered_limit_is_reported_once_per_scope_and_dimension() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let [one, two] = ["one", "two"].map(|name| select(&pool, Scope::named(name), now));
    assert_eq!(one.record_limit(Dimension::Tokens, 100), None);
    assert_eq!(two.record_limit(Dimension::Tokens, 30), None);
    assert_eq!(one.record_limit(Dimension::Requests, 6), None);
    assert_eq!(one.record_limit(Dimension::Tokens, 60), Some(100));
    assert_eq!(one.record_limit(Dimension::Tokens, 60), None);
    assert_eq!(one.record_limit(Dimension::Tokens, 100), None);
    assert_eq!(two.record_limit(Dimension::Tokens, 29), Some(30));
}

#[test]
fn limits_are_due_once_every_ten_seconds() {
    let now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    let selected = select(&pool, Scope::BACKEND, now);
    assert!(selected.is_limit_due(now));
    assert!(!selected.is_limit_due(now));
    assert!(!selected.is_limit_due(now + SECOND * 9));
    assert!(selected.is_limit_due(now + SECOND * 10));
}

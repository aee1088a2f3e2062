//! Attempts that are given up before the backend begins a response.

use super::*;
use crate::{Class, Cooldown};

const MS: Duration = Duration::from_millis(1);

/// Makes attempts that are given up after a second each. Returns the result of the last one.
fn give_up(pool: &Pool, attempts: usize, now: &mut Instant) -> Option<Silence> {
    let mut silence = None;
    for _ in 0..attempts {
        let selected = select(pool, *now);
        assert_eq!(selected.backend().label(), "a");
        *now += SECOND;
        silence = selected.give_up(*now);
    }
    silence
}

fn selected_label(pool: &Pool, now: Instant) -> String {
    select(pool, now).backend().label().to_owned()
}

#[test]
fn three_attempts_given_up_in_a_row_make_a_backend_suspect() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    assert_eq!(give_up(&pool, 2, &mut now), None);
    let silence = give_up(&pool, 1, &mut now).expect("it is suspect");
    assert_eq!((silence.attempts(), silence.lasting()), (3, SECOND * 3));
    assert_eq!(selected_label(&pool, now), "b");

    let snapshot = &pool.snapshot(Scope::BACKEND, now)[0];
    assert_eq!(snapshot.condition(), Condition::Suspect(SECOND * 10));
    assert_eq!(snapshot.suspect_scopes(), 1);
    assert_eq!(snapshot.longest_silence(), Some(silence));
    assert_eq!(snapshot.counts().cancelled, 3);
    assert_eq!(snapshot.cause(), None);
}

#[test]
fn response_of_any_class_ends_the_run() {
    let answers = [
        Outcome::success(),
        Outcome::client_error(),
        Outcome::throttled(SECOND),
        Outcome::new(Class::Declined, Cooldown::default()),
    ];
    for answer in answers {
        let mut now = Instant::now();
        let pool = pool([("a", 1, 1), ("b", 2, 1)]);
        let under_way = select(&pool, now);
        give_up(&pool, 2, &mut now);
        assert_eq!(
            under_way.record(&answer, now).change(),
            (answer.class() == Class::Throttled).then_some(Change::Closed)
        );
        now += SECOND;
        assert_eq!(give_up(&pool, 2, &mut now), None);
        assert!(give_up(&pool, 1, &mut now).is_some());
    }
}

#[test]
fn response_of_a_suspect_backend_opens_it_and_is_reported() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let under_way = select(&pool, now);
    give_up(&pool, 3, &mut now);
    let recorded = under_way.record(&Outcome::success(), now);
    assert_eq!(recorded.change(), Some(Change::Opened));
    assert_eq!(selected_label(&pool, now), "a");
    assert_eq!(
        pool.snapshot(Scope::BACKEND, now)[0].longest_silence(),
        None
    );
}

#[test]
fn failure_does_not_end_the_run_since_it_may_be_a_timeout() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let under_way = select(&pool, now);
    give_up(&pool, 3, &mut now);
    under_way.record(&Outcome::failing(SECOND), now);
    assert_eq!(selected_label(&pool, now + SECOND * 2), "b");
}

#[test]
fn one_request_at_a_time_probes_a_suspect_backend() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    give_up(&pool, 3, &mut now);
    assert_eq!(selected_label(&pool, now + SECOND * 10 - MS), "b");

    now += SECOND * 10;
    let probe = select(&pool, now);
    assert!(probe.is_probe() && probe.index() == 0);
    assert_eq!(selected_label(&pool, now), "b");
    now += SECOND;
    // The backend stays suspect. The silence is reported only once.
    assert_eq!(probe.give_up(now), None);
    assert_eq!(selected_label(&pool, now + SECOND * 10 - MS), "b");

    now += SECOND * 10;
    select(&pool, now).record(&Outcome::success(), now);
    assert!(
        [0, 1]
            .map(|_| selected_label(&pool, now))
            .iter()
            .all(|label| label == "a")
    );
}

#[test]
fn cancelled_or_short_probe_passes_to_the_next_request() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    give_up(&pool, 3, &mut now);
    now += SECOND * 10;
    select(&pool, now).cancel(now + SECOND);
    assert_eq!(select(&pool, now + SECOND).give_up(now + SECOND + MS), None);
    assert!(select(&pool, now + SECOND + MS).is_probe());
}

#[test]
fn probe_without_a_response_holds_its_lease_for_ten_seconds() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    give_up(&pool, 3, &mut now);
    now += SECOND * 10;
    let _probe = select(&pool, now);
    assert_eq!(selected_label(&pool, now + SECOND * 10 - MS), "b");
    assert_eq!(selected_label(&pool, now + SECOND * 10), "a");
}

#[test]
fn short_or_cancelled_attempts_do_not_make_a_backend_suspect() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    for _ in 0..10 {
        let [short, lost] = [0, 1].map(|_| select(&pool, now));
        assert_eq!(short.give_up(now + MS * 499), None);
        now += SECOND;
        lost.cancel(now);
    }
    assert_eq!(selected_label(&pool, now), "a");
    assert_eq!(give_up(&pool, 2, &mut now), None);
}

#[test]
fn suspect_backend_is_a_last_resort() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    give_up(&pool, 3, &mut now);
    throttle(&pool, 1, SECOND * 5, now);
    let last_resort = select(&pool, now);
    assert_eq!(last_resort.backend().label(), "a");
    assert!(!last_resort.is_probe());
    // The backend responds: no probe is needed.
    last_resort.record(&Outcome::success(), now);
    assert_eq!(
        pool.snapshot(Scope::BACKEND, now)[0].condition(),
        Condition::Open
    );
}

#[test]
fn silence_of_one_scope_does_not_close_other_scopes() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let at = |name: &str, now| {
        let selected = pool.select(&Query::new().scope(Scope::named(name)), now, 0);
        selected.expect("one is open")
    };
    for _ in 0..3 {
        let [silent, other] = ["silent", "other"].map(|name| at(name, now));
        now += SECOND;
        silent.give_up(now);
        other.record(&Outcome::success(), now);
    }
    assert_eq!(at("silent", now).index(), 1);
    assert_eq!(at("other", now).index(), 0);
    assert_eq!(selected_label(&pool, now), "a");
}

#[test]
fn number_of_scopes_is_bounded_and_the_oldest_run_is_evicted() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1)]);
    for i in 0..100 {
        for _ in 0..3 {
            let scope = Scope::named(&i.to_string());
            let selected = pool
                .select(&Query::new().scope(scope), now, 0)
                .expect("it is the last resort");
            now += SECOND;
            selected.give_up(now);
        }
    }
    let suspect = |i: u32| {
        let scope = Scope::named(&i.to_string());
        matches!(
            pool.snapshot(scope, now)[0].condition(),
            Condition::Suspect(_)
        )
    };
    assert_eq!(
        (0..100).filter(|&i| suspect(i)).collect::<Vec<_>>(),
        Vec::from_iter(68..100)
    );
    assert_eq!(pool.snapshot(Scope::BACKEND, now)[0].suspect_scopes(), 32);
}

#[test]
fn retry_of_a_client_avoids_a_backend_after_one_attempt_given_up() {
    let mut now = Instant::now();
    let pool = pool([("a", 1, 1), ("b", 2, 1)]);
    let selected_for = |name: &'static str, value: &'static str, attempts: &Attempts, now| {
        let mut headers = http::HeaderMap::new();
        headers.insert(name, http::HeaderValue::from_static(value));
        let query = Query::new().headers(&headers).attempts(attempts);
        let selected = pool.select(&query, now, 0);
        selected.expect("one is open").index()
    };
    let count = "x-stainless-retry-count";
    assert_eq!(selected_for(count, "1", &Attempts::new(), now), 0);
    give_up(&pool, 1, &mut now);
    let retries = [
        (count, "1"),
        (count, "2"),
        ("grpc-previous-rpc-attempts", "1"),
        ("amz-sdk-request", "attempt=2; max=3"),
        ("amz-sdk-request", "ttl=20201231T235959Z; attempt=3; max=3"),
    ];
    for (name, value) in retries {
        assert_eq!(
            selected_for(name, value, &Attempts::new(), now),
            1,
            "{name}: {value}"
        );
    }
    let first_attempts = [
        (count, "0"),
        (count, "-1"),
        (count, "one"),
        ("grpc-previous-rpc-attempts", "0"),
        ("amz-sdk-request", "attempt=1; max=3"),
        ("amz-sdk-request", "attempt=; max=3"),
    ];
    for (name, value) in first_attempts {
        assert_eq!(
            selected_for(name, value, &Attempts::new(), now),
            0,
            "{name}: {value}"
        );
    }
    // The backend is selected when no other is left.
    let attempts = Attempts::new();
    attempts.mark(1);
    assert_eq!(selected_for(count, "1", &attempts, now), 0);
}

#[test]
fn silence_is_not_inherited_by_another_credential() {
    let mut now = Instant::now();
    let backend = |key: &str| {
        let key = crate::Credential::api_key(key).unwrap();
        Backend::builder("a")
            .url("http://a")
            .credential(key)
            .build()
            .unwrap()
    };
    let pool = Pool::new([backend("old")]).unwrap();
    give_up(&pool, 3, &mut now);
    let condition = |key| {
        pool.with_backends([backend(key)])
            .unwrap()
            .snapshot(Scope::BACKEND, now)[0]
            .condition()
    };
    assert_eq!(condition("old"), Condition::Suspect(SECOND * 10));
    assert_eq!(condition("new"), Condition::Open);
}

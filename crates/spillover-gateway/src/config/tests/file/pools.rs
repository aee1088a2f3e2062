use std::{num::NonZeroU32, time::Duration};

use http::{Response, StatusCode};
use spillover_core::{Answer, Class, Classify, Cooldowns};
use tower_spillover::{
    affinity::{AffinityKey, AffinityOptions},
    select::WhenExhausted,
};

use super::{POOL, load, load_with, with_backend, with_pool};
use crate::{
    config::tests::directory::Directory,
    runtime::{CredentialSource, PoolLimits, Timeouts},
};

#[test]
fn pool_has_defaults() {
    let config = load(POOL).unwrap();
    let [pool] = &config.pools[..] else {
        panic!("one pool");
    };
    assert_eq!(pool.name, "default");
    assert!(pool.routes.is_empty() && pool.affinity.keys.is_empty());
    assert_eq!(pool.timeouts, Timeouts::default());
    assert_eq!(pool.cooldowns, Cooldowns::default());
    assert_eq!(pool.when_exhausted, WhenExhausted::Forward);
    assert!(!pool.expose_backend_url && pool.response_headers.is_empty());
    assert_eq!(pool.limits, PoolLimits::default());
    assert_eq!(pool.limits.replay, 32 << 20);
    assert_eq!(pool.limits.replay_total, 1 << 30);

    let backend = &pool.backends[0];
    assert_eq!(
        (backend.backend.priority(), backend.backend.weight()),
        (1, 1)
    );
    assert_eq!(backend.backend.max_concurrency(), None);
    assert!(backend.backend.model().is_none() && backend.ca.is_none());
    assert!(backend.request_headers.is_empty() && backend.response_headers.is_empty());
}

#[test]
fn settings_of_a_pool_are_read() {
    let text = with_pool(
        r#"
        name = "chat"
        when_exhausted = "wait:1500ms"
        expose_backend_url = true
        routes = [{ host = "*.Example.com", model = "gpt-4o*" }, { path_prefix = "/openai/" }]
        statuses = { 404 = "declined", 418 = "too_large", 502 = "client-error" }
        limits = { body = "1MiB", replay = 0, replay_total = "2MiB", max_attempts = 2 }
        affinity = { keys = [{ header = "X-Session" }, { body = "user" }, { cookie = "s" }], pinned = true }
        response_headers = { set = { x-a = "b" }, remove = ["Server"] }
        [pools.timeouts]
        connect = "1s"
        response_head = "2s"
        first_event = "0s"
        first_token = "3s"
        idle = "off"
        retry_deadline = "4s"
        total = "5s"
        [pools.cooldown]
        default = "1s"
        cap = "2s"
        quota_default = "3s"
        quota_cap = "31days"
        jitter = 1
        "#,
    );
    let config = load(&text).unwrap();
    let pool = &config.pools[0];

    assert_eq!(pool.name, "chat");
    assert_eq!(
        pool.when_exhausted,
        WhenExhausted::Wait(Duration::from_millis(1_500))
    );
    assert!(pool.expose_backend_url);
    let [first, second] = &pool.routes[..] else {
        panic!("two routes");
    };
    assert!(first.host.as_ref().unwrap().matches("a.example.com"));
    assert!(first.model.as_ref().unwrap().matches("gpt-4o-mini"));
    assert_eq!(second.path_prefix.as_deref(), Some("/openai"));
    assert_eq!(second.host, None);
    let seconds = Duration::from_secs;
    let timeouts = Timeouts {
        connect: seconds(1),
        response_head: seconds(2),
        first_event: Duration::ZERO,
        first_token: Some(seconds(3)),
        idle: None,
        retry_deadline: Some(seconds(4)),
        total: Some(seconds(5)),
    };
    assert_eq!(pool.timeouts, timeouts);
    let limits = PoolLimits {
        body: Some(1 << 20),
        replay: 0,
        replay_total: 2 << 20,
        max_attempts: NonZeroU32::new(2),
    };
    assert_eq!(pool.limits, limits);
    let cooldowns = Cooldowns::default()
        .default_cooldown(seconds(1))
        .cap(seconds(2))
        .default_quota_cooldown(seconds(3))
        .quota_cap(seconds(31 * 24 * 60 * 60))
        .jitter(1.0);
    assert_eq!(pool.cooldowns, cooldowns);
    let affinity = AffinityOptions {
        keys: vec![
            AffinityKey::Header("x-session".parse().unwrap()),
            AffinityKey::BodyField("user".into()),
            AffinityKey::Cookie("s".into()),
        ],
        is_pinned: true,
    };
    assert_eq!(pool.affinity, affinity);
    assert_eq!(pool.response_headers.set[0].0, "x-a");
    assert_eq!(pool.response_headers.remove, ["server"]);
}

#[test]
fn statuses_get_their_classes() {
    for (word, class) in [
        ("success", Class::Success),
        ("throttled", Class::Throttled),
        ("quota", Class::Quota),
        ("too-large", Class::TooLarge),
        ("too_large", Class::TooLarge),
        ("declined", Class::Declined),
        ("capacity", Class::Capacity),
        ("failing", Class::Failing),
        ("credential", Class::Credential),
        ("client-error", Class::ClientError),
        ("client_error", Class::ClientError),
    ] {
        let config = load(&with_pool(&format!("statuses = {{ 451 = '{word}' }}"))).unwrap();
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS;
        let answer = Answer::<()>::response(&response, None);
        assert_eq!(
            config.pools[0].classifier.classify(&answer),
            class,
            "{word}"
        );
    }
}

#[test]
fn settings_of_a_backend_are_read() {
    let directory = Directory::new();
    directory.write("ca.pem", "");
    let text = with_backend(
        r#"
        priority = 3
        weight = 4
        deployment = "gpt-4o"
        model = "gpt-4o-2024"
        max_concurrency = 5
        ca = "ca.pem"
        request_headers = { set = { x-a = "b" }, remove = ["x-c"] }
        response_headers = { remove = ["x-d"] }
        "#,
    );
    let config = load_with(&directory, &text, &[], &[]).unwrap();
    let backend = &config.pools[0].backends[0];
    assert_eq!(
        (backend.backend.priority(), backend.backend.weight()),
        (3, 4)
    );
    assert_eq!(backend.backend.deployment(), Some("gpt-4o"));
    assert_eq!(backend.backend.max_concurrency(), NonZeroU32::new(5));
    assert_eq!(backend.backend.own_model(), Some("gpt-4o-2024"));
    let ca = backend.ca.as_ref().unwrap();
    assert_eq!(ca.file, directory.path().join("ca.pem"));
    assert_eq!(backend.request_headers.set[0].1, "b");
    assert_eq!(backend.request_headers.remove, ["x-c"]);
    assert_eq!(backend.response_headers.remove, ["x-d"]);
}

#[test]
fn credentials_go_into_their_fields() {
    for (credential, source, field) in [
        (
            "{ api_key = 'k' }",
            CredentialSource::Backend,
            Some(("api-key", "k")),
        ),
        (
            "{ bearer = 'k' }",
            CredentialSource::Backend,
            Some(("authorization", "Bearer k")),
        ),
        (
            "{ header = { name = 'X-Api-Key', value = 'k' } }",
            CredentialSource::Backend,
            Some(("x-api-key", "k")),
        ),
        ("'entra'", CredentialSource::Entra, None),
        ("'passthrough'", CredentialSource::Client, None),
    ] {
        let config = load(&POOL.replace("\"entra\"", credential)).unwrap();
        let backend = &config.pools[0].backends[0];
        assert_eq!(backend.credential, source);
        let own = backend.backend.credential();
        assert_eq!(own.is_none(), source == CredentialSource::Client);
        let own = own.and_then(|own| own.field());
        let own = own.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        assert_eq!(own, field, "{credential}");
    }
}

#[test]
fn backends_are_sorted_by_priority_then_by_the_list() {
    let mut text = "[[pools]]\n".to_owned();
    for (name, priority) in [("z", 2), ("b", 1), ("y", 2), ("a", 1)] {
        text += &format!(
            "[[pools.backends]]\nname = '{name}'\nurl = 'http://a'\npriority = {priority}\ncredential = 'entra'\n"
        );
    }
    let config = load(&text).unwrap();
    let labels: Vec<_> = config.backends().iter().map(|b| b.label()).collect();
    assert_eq!(labels, ["b", "a", "z", "y"]);
}

use std::time::Duration;

use tower_spillover::select::WhenExhausted;

use super::{POOL, load_with, problems_of, with_pool};
use crate::config::{LogFormat, tests::directory::Directory};

#[test]
fn variables_and_flags_win_over_the_file() {
    let directory = Directory::new();
    directory.write("x.pem", "");
    let text = format!(
        "log_format = 'text'\n\
         listeners = [{{ address = '127.0.0.1:1', tls = {{ certificate = 'x.pem', key = 'x.pem' }} }}, {{ address = '127.0.0.1:2' }}]\n\
         admin.address = '127.0.0.1:3'\n{}{POOL}",
        with_pool("name = 'first'\nroutes = [{ model = 'x' }]")
    );
    let variables = [
        ("LISTEN", "127.0.0.1:4"),
        ("ADMIN_LISTEN", "127.0.0.1:5"),
        ("HTTP_TIMEOUT_SECONDS", "6"),
        ("WHEN_EXHAUSTED", "reject"),
        ("EXPOSE_BACKEND_URL", "yes"),
        ("LOG_FORMAT", "json"),
    ];
    let config = load_with(&directory, &text, &[], &variables).unwrap();
    let addresses: Vec<_> = config
        .listeners
        .iter()
        .map(|l| l.address.as_str())
        .collect();
    assert_eq!(addresses, ["127.0.0.1:4", "127.0.0.1:2"]);
    assert!(config.listeners[0].tls.is_some());
    assert_eq!(config.admin.as_ref().unwrap().as_str(), "127.0.0.1:5");
    assert_eq!(config.log_format, LogFormat::Json);
    for pool in &config.pools {
        assert_eq!(pool.timeouts.response_head, Duration::from_secs(6));
        assert_eq!(pool.when_exhausted, WhenExhausted::Reject);
        assert!(pool.expose_backend_url);
    }

    let flags = [
        "--port=0",
        "--admin-listen=127.0.0.1:7",
        "--log-format=auto",
    ];
    let config = load_with(&directory, &text, &flags, &variables).unwrap();
    assert_eq!(config.listen().as_str(), "0.0.0.0:0");
    assert_eq!(config.admin.unwrap().as_str(), "127.0.0.1:7");
    assert_eq!(config.log_format, LogFormat::Auto);
}

#[test]
fn backends_of_the_environment_are_ignored_and_listed() {
    let directory = Directory::new();
    let variables = [
        ("BACKEND_2_URL", "not looked at"),
        ("backend_10_prio", "x"),
        ("BACKEND_SERVICE_HOST", "x"),
    ];
    let config = load_with(&directory, POOL, &[], &variables).unwrap();
    assert_eq!(config.backends().len(), 1);
    assert_eq!(
        config.ignored,
        ["BACKEND_2_URL", "backend_10_prio", "BACKEND_SERVICE_HOST"]
    );
}

#[test]
fn backends_of_flags_are_refused() {
    let directory = Directory::new();
    let flags = ["--backend", "", "--backend", "1,url=http://a,priority=1"];
    let error = load_with(&directory, POOL, &flags, &[]).unwrap_err();
    assert_eq!(
        problems_of(&directory, &error),
        ["--backend #2: not together with --config: the backends are those of the file"]
    );
}

#[test]
fn the_flag_names_another_file_than_the_variable() {
    let directory = Directory::new();
    let variables = [("SPILLOVER_CONFIG", "/not/there")];
    assert!(load_with(&directory, POOL, &[], &variables).is_ok());
}

#[test]
fn what_overrides_is_named_where_it_is_wrong() {
    let directory = Directory::new();
    let variables = [("LISTEN", "127.0.0.1:1"), ("ADMIN_LISTEN", "127.0.0.1:1")];
    let error = load_with(&directory, POOL, &[], &variables).unwrap_err();
    assert_eq!(
        problems_of(&directory, &error),
        ["ADMIN_LISTEN: listeners[0] has this address; expected one of its own"]
    );
    let without_file = super::super::with_backend(&[], &variables);
    super::super::assert_problem_at(without_file, "ADMIN_LISTEN", "has this address");
}

#[test]
fn keys_of_clients_by_a_variable() {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let directory = Directory::new();
    let in_file = format!("clients.keys = [{{ name = 'a', secret = 'x' }}]\n{POOL}");
    let keys = format!(" team-a: {digest}, a:b:{},", digest.replace('9', "0"));
    for text in [&*in_file, POOL] {
        let config = load_with(&directory, text, &[], &[("CLIENT_KEYS", &keys)]).unwrap();
        let names: Vec<_> = config.clients.keys.iter().map(|key| &*key.name).collect();
        assert_eq!(names, ["team-a", "a:b"]);
        assert_eq!(config.clients.keys[0].sha256[..2], [0x9f, 0x86]);
        assert!(config.clients.keys[0].pools.is_empty());
    }
    for (keys, expected) in [
        ("team-a".to_owned(), "expected NAME:SHA256"),
        (" , ".to_owned(), "expected NAME:SHA256"),
        (format!("a b:{digest}"), "expected NAME:SHA256"),
        ("a:hunter2".to_owned(), "expected NAME:SHA256"),
        (format!("a:{digest},b:{digest}"), "the same key as keys[0]"),
        (
            format!("a:{digest},a:{}", digest.replace('9', "0")),
            "keys[0] has this name",
        ),
    ] {
        let result = super::super::with_backend(&[], &[("CLIENT_KEYS", &keys)]);
        super::super::assert_problem_at(result, "CLIENT_KEYS", expected);
    }
}

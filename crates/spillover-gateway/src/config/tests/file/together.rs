//! Tests of settings that contradict each other.

use super::{POOL, assert_problem, problems, with_pool};

#[test]
fn names_are_unique() {
    let backend = POOL.replace("[[pools]]\n", "");
    assert_problem(
        &format!("{POOL}{}", backend.replace("\"a\"", "\"A\"")),
        "pools[0].backends[1].name: backends[0] has this name",
    );
    let routed = with_pool("routes = [{ model = 'a' }]");
    assert_problem(
        &format!("{routed}{POOL}"),
        "pools[1].name: pools[0] has this name",
    );
    let keys = "clients.keys = [{ name = 'a', secret = 'x' }, { name = 'a', secret = 'y' }]\n";
    assert_problem(
        &format!("{keys}{POOL}"),
        "clients.keys[1].name: keys[0] has this name",
    );
    let keys = "clients.keys = [{ name = 'a', secret = 'x' }, { name = 'b', secret = 'x' }]\n";
    assert_problem(
        &format!("{keys}{POOL}"),
        "clients.keys[1]: the same key as keys[0]",
    );
}

#[test]
fn pool_behind_one_that_takes_all_is_refused() {
    let second = with_pool("name = 'second'");
    assert_problem(
        &format!("{POOL}{second}"),
        "pools[1]: no request gets here: pools[0] has no routes",
    );
}

#[test]
fn client_key_names_only_existing_pools() {
    let keys = "clients.keys = [{ name = 'a', secret = 'x', pools = ['default', 'chat'] }]\n";
    assert_problem(
        &format!("{keys}{POOL}"),
        "clients.keys[0].pools[1]: expected the name of a pool",
    );
}

#[test]
fn listeners_need_different_addresses() {
    let listeners = "listeners = [{ address = '[::1]:80' }, { address = '[0:0::1]:80' }]\n";
    assert_problem(
        &format!("{listeners}{POOL}"),
        "listeners[1].address: listeners[0] has this address",
    );
    let admin = "admin.address = '127.0.0.1:8080'\n";
    assert_problem(
        &format!("{admin}{POOL}"),
        "admin.address: listeners[0] has this address",
    );
}

#[test]
fn certificate_and_key_need_each_other() {
    let listeners = |tls: &str| format!("listeners = [{{ tls = {{ {tls} }} }}]\n{POOL}");
    for (tls, missing) in [
        ("certificate = '/dev/null'", "tls.key: not set"),
        ("key = '/dev/null'", "tls.certificate: not set"),
        (
            "certificate = '/dev/null', key = '/dev/null', client_certificate = 'optional'",
            "tls.client_ca: not set, but client_certificate is",
        ),
    ] {
        assert_problem(&listeners(tls), missing);
    }
}

#[test]
fn field_is_not_both_set_and_removed() {
    let headers = "response_headers = { set = { x-a = 'b' }, remove = ['X-A'] }";
    assert_problem(
        &with_pool(headers),
        "response_headers.remove[0]: this field is set as well",
    );
}

#[test]
fn wrong_setting_is_not_reported_as_missing() {
    let lines = problems(&POOL.replace("\"https://a.example\"", "5"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    let lines = problems("pools = 5");
    assert_eq!(lines, ["spillover.toml:1: pools: expected a list"]);
}

use super::{POOL, assert_problem, load_with, problems, problems_of, with_backend, with_pool};
use crate::config::tests::directory::Directory;

#[test]
fn problem_has_file_line_and_key() {
    let lines = problems(
        r#"
[[pools]]
whenexhausted = "reject"
[pools.timeouts]
connect = 5
[[pools.backends]]
name = "a"
url = "https://a.example"
weight = 0
credential = "entra"
[[pools.backends]]
name = "b"
url = "b.example"
credential = { api_key = { env = "NOT_THERE" } }
"#,
    );
    assert_eq!(
        lines,
        [
            "spillover.toml:3: pools[0].whenexhausted: an unknown key; did you mean when_exhausted?",
            "spillover.toml:5: pools[0].timeouts.connect: expected a duration with its unit as a string, such as \
             \"5s\", \"100ms\" or \"2m\"",
            "spillover.toml:9: pools[0].backends[0].weight: expected a whole number from 1 to 4294967295",
            "spillover.toml:13: pools[0].backends[1].url: expected an absolute URL, http or https, without user, query \
             or fragment, such as https://name.openai.azure.com",
            "spillover.toml:14: pools[0].backends[1].credential.api_key.env: the variable NOT_THERE is not set",
        ]
    );
}

#[test]
fn unknown_keys_are_refused_with_a_suggestion() {
    for (text, expected) in [
        (
            format!("listener = []\n{POOL}"),
            "1: listener: an unknown key; did you mean listeners?",
        ),
        (
            format!("x9 = 1\n{POOL}"),
            "1: ?: an unknown key; expected one of: log_format, admin",
        ),
        (
            format!("nonsense = 1\n{POOL}"),
            "1: nonsense: an unknown key; expected one of: log_format, admin",
        ),
        (
            with_backend("url_ = 1"),
            "url_: an unknown key; did you mean url?",
        ),
        (
            with_backend("api_key = 'k'"),
            "api_key: an unknown key; expected one of: name, url",
        ),
        (
            with_pool("limits.retry = 1"),
            "pools[0].limits.retry: an unknown key; did you mean replay?",
        ),
        (
            with_backend("request_headers.sett = {}"),
            "pools[0].backends[0].request_headers.sett: an unknown key; did you mean set?",
        ),
    ] {
        assert_problem(&text, expected);
    }
}

#[test]
fn wrong_types_and_values_are_refused() {
    for (text, expected) in [
        (with_pool("name = 5"), "pools[0].name: expected a string"),
        (
            with_pool("expose_backend_url = 'yes'"),
            "expected true or false",
        ),
        (with_pool("routes = 5"), "pools[0].routes: expected a list"),
        (
            with_pool("routes = [5]"),
            "pools[0].routes[0]: expected a table",
        ),
        (
            with_pool("timeouts = []"),
            "pools[0].timeouts: expected a table",
        ),
        (
            with_pool("timeouts.connect = '5'"),
            "connect: expected a unit after the number",
        ),
        (
            with_pool("timeouts.connect = '0s'"),
            "connect: expected a duration from 1ms to 24h",
        ),
        (
            with_pool("timeouts.idle = '25h'"),
            "idle: expected a duration from 1ms to 24h",
        ),
        (
            with_pool("timeouts.first_token = '0s'"),
            "first_token: expected a duration from 1ms to 24h",
        ),
        (
            with_pool("timeouts.connect = 'off'"),
            "connect: expected a duration",
        ),
        (
            with_pool("timeouts.connect = 2024-01-01"),
            "connect: expected a duration",
        ),
        (
            with_pool("when_exhausted = 'wait'"),
            "expected forward, reject or wait:<duration>",
        ),
        (
            with_pool("limits.body = '5 miles'"),
            "limits.body: expected a size",
        ),
        (
            with_pool("limits.body = -1"),
            "limits.body: expected a size",
        ),
        (
            with_pool("limits.body = 99999999999999999999"),
            "limits.body: expected a limit or",
        ),
        (
            with_pool("limits.max_attempts = 0"),
            "expected a whole number from 1",
        ),
        (
            with_pool("cooldown.jitter = 1.5"),
            "jitter: expected a number from 0 to 1",
        ),
        (
            with_pool("cooldown.jitter = nan"),
            "jitter: expected a number from 0 to 1",
        ),
        (
            with_pool("cooldown.default = '2m'"),
            "cooldown.default: expected a duration that is not above",
        ),
        (
            with_pool("statuses.404 = 'decline'"),
            "statuses.404: expected one of: success, throttled",
        ),
        (
            with_pool("statuses.99 = 'declined'"),
            "expected a status from 200 to 599",
        ),
        (
            with_pool("statuses.abc = 'declined'"),
            "expected a status from 200 to 599",
        ),
        (with_pool("affinity = {}"), "affinity.keys: not set"),
        (
            with_pool("affinity.keys = [{ query = 'x' }]"),
            "expected one of: id, header, body, cookie",
        ),
        (
            with_pool("affinity.keys = [{ header = 'a b' }]"),
            "keys[0].header: expected the name of a header field",
        ),
        (
            with_pool("affinity.keys = [{ cookie = 'a;b' }]"),
            "keys[0].cookie: expected the name of a cookie",
        ),
        (
            with_pool("affinity.keys = [{ body = '' }]"),
            "keys[0].body: expected the name of a field",
        ),
        (with_pool("routes = [{}]"), "routes[0]: nothing set"),
        (
            with_pool("routes = [{ host = 'https://a' }]"),
            "routes[0].host: expected a host",
        ),
        (
            with_pool("routes = [{ host = 'a:80' }]"),
            "routes[0].host: expected a host",
        ),
        (
            with_pool("routes = [{ path_prefix = 'openai' }]"),
            "path_prefix: expected the beginning of a path",
        ),
        (
            with_pool("routes = [{ path_prefix = '/' }]"),
            "path_prefix: expected the beginning of a path",
        ),
        (
            with_pool("routes = [{ model = '' }]"),
            "model: expected a model",
        ),
        (
            with_pool("response_headers.set.'a b' = 'x'"),
            "expected the name of a header field",
        ),
        (
            with_pool("response_headers.set.content-length = 'x'"),
            "set.content-length: expected a field that is about",
        ),
        (
            with_pool("response_headers.set = { X-A = 'a', x-a = 'b' }"),
            "set.x-a: set twice, as case does not matter",
        ),
        (
            with_pool("response_headers.remove = ['host']"),
            "remove[0]: expected a field that is about",
        ),
        (
            with_pool("response_headers.set.x-a = \"a\\nb\""),
            "set.x-a: expected a value of visible ASCII",
        ),
        (
            with_backend("priority = -1"),
            "priority: expected a whole number from 0",
        ),
        (
            with_backend("deployment = 'a/b'"),
            "deployment: expected a deployment name",
        ),
        (with_backend("model = ''"), "model: expected a model"),
        (
            with_backend("audience = 'ai.azure.com'"),
            "audience: expected an audience, such as https://ai.azure.com",
        ),
        (
            with_backend("protocol = 'h2c'"),
            "protocol: expected \"auto\", \"http1\" or \"http2\"",
        ),
        (
            with_backend("protocol = 2"),
            "protocol: expected \"auto\", \"http1\" or \"http2\"",
        ),
        (
            with_backend("ca = '/not/there.pem'"),
            "ca: /not/there.pem cannot be read: No such file",
        ),
        (
            POOL.replace(
                "\"entra\"",
                "'passthrough'\naudience = 'https://ai.azure.com'",
            ),
            "audience: expected no audience, since only a token of Entra ID has one",
        ),
        (
            POOL.replace("\"entra\"", "'api_key'"),
            "credential: expected a table with this key",
        ),
        (POOL.replace("\"entra\"", "'entrai'"), "did you mean entra?"),
        (POOL.replace("\"entra\"", "{ entra = 1 }"), "expected"),
        (
            POOL.replace("\"entra\"", "{ api_key = 'a', bearer = 'b' }"),
            "credential: expected one of: api_key, bearer",
        ),
        (
            POOL.replace("\"entra\"", "{ header = { value = 'b' } }"),
            "credential.header.name: not set",
        ),
        (
            POOL.replace("\"entra\"", "{ api_key = 'schlüssel' }"),
            "expected",
        ),
        (
            POOL.replace("\"a\"", "\"a b\""),
            "name: expected one or more visible ASCII characters",
        ),
    ] {
        assert_problem(&text, expected);
    }
}

#[test]
fn wrong_values_of_the_gateway_are_refused() {
    for (text, expected) in [
        (
            "log_format = 'xml'",
            "log_format: expected one of: auto, text, json",
        ),
        ("admin = {}", "admin.address: not set"),
        (
            "listeners = [{ address = '8080' }]",
            "listeners[0].address: expected a host before the port",
        ),
        (
            "listeners = [{ tls = {} }]",
            "listeners[0].tls.certificate: not set",
        ),
        (
            "connections.max = 0",
            "connections.max: expected a whole number of at least 1",
        ),
        (
            "connections.head_size = '1KiB'",
            "head_size: expected a size from 8KiB to 16MiB",
        ),
        (
            "connections.head_fields = 0",
            "head_fields: expected a whole number from 1 to 10000",
        ),
        (
            "shutdown.delay = '2days'",
            "shutdown.delay: expected a duration from 0s to 24h",
        ),
        (
            "clients.cors = ['https://a.example/']",
            "clients.cors[0]: expected an origin",
        ),
        (
            "clients.cors = ['a.example']",
            "clients.cors[0]: expected an origin",
        ),
        (
            "clients.keys = [{ name = 'a' }]",
            "clients.keys[0]: neither sha256 nor secret is set",
        ),
        (
            "clients.keys = [{ name = 'a', secret = '' }]",
            "secret: expected a key of visible ASCII",
        ),
        (
            "clients.keys = [{ name = 'a', sha256 = 'abc' }]",
            "sha256: expected 64 hexadecimal digits",
        ),
        (
            "clients.keys = [{ secret = 'a' }]",
            "clients.keys[0].name: not set",
        ),
        (
            "clients.keys = [{ name = 'a', sha256 = 'abc', secret = 'x' }]",
            "expected either sha256 or secret",
        ),
    ] {
        let lines = problems(&format!("{text}\n{POOL}"));
        assert!(lines[0].contains(expected), "{lines:?} is not {expected}");
    }
}

#[test]
fn text_that_is_no_toml_is_reported_with_its_line() {
    for (text, line) in [
        ("pools = [", 1),
        ("\n\n[pools", 3),
        ("a = 'x\nb = 1", 1),
        ("[[pools]]\nname = 'a'\nname = 'b'", 3),
        ("a = hunter2", 1),
    ] {
        let lines = problems(text);
        let place = format!("spillover.toml:{line}: no TOML: ");
        assert!(lines[0].starts_with(&place), "{lines:?}");
        assert!(!lines.concat().contains("hunter2"), "{lines:?}");
    }
}

#[test]
fn wrong_variables_beside_a_broken_file_are_reported() {
    let directory = Directory::new();
    let error = load_with(&directory, "pools = [", &[], &[("LISTEN", "8080")]).unwrap_err();
    let lines = problems_of(&directory, &error);
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("LISTEN: expected")),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.contains("no TOML")),
        "{lines:?}"
    );
}

#[test]
fn empty_file_lacks_a_pool() {
    assert_eq!(
        problems(""),
        [
            "spillover.toml:1: pools: not set; expected at least one [[pools]] with a [[pools.backends]]"
        ]
    );
    assert_problem(
        "[[pools]]",
        "1: pools[0].backends: not set; expected at least one backend",
    );
    let lines = problems("[[pools]]\n[[pools.backends]]");
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn unreadable_file_is_reported_at_its_flag_or_variable() {
    let directory = Directory::new();
    let missing = directory.path().join("hunter2");
    let missing = missing.to_str().unwrap();
    for (flags, variables, place) in [
        (&["--config", missing][..], &[][..], "--config"),
        (&[], &[("spillover_config", missing)], "spillover_config"),
    ] {
        super::super::assert_problem_at(
            super::super::config(flags, variables),
            place,
            "the file cannot be read: No such file",
        );
    }
    let error = load_with(&directory, "\u{0}", &[], &[]).unwrap_err();
    assert!(problems_of(&directory, &error)[0].starts_with("spillover.toml:1: no TOML"));
}

#[test]
fn at_most_100_mistakes_are_reported() {
    let mut text = String::new();
    for number in 0..1_000 {
        text += &format!("wrong{number} = 1\n");
    }
    assert_eq!(problems(&text).len(), 100);
}

use super::{assert_problem_at, with_backend};

#[test]
fn valid_addresses_are_accepted() {
    for (text, expected) in [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::]:8080", "[::]:8080"),
        ("[::1]:65535", "[::1]:65535"),
        ("localhost:8080", "localhost:8080"),
        ("my_host-1.internal:09", "my_host-1.internal:9"),
    ] {
        let config = with_backend(&[], &[("LISTEN", text)]).unwrap();
        assert_eq!(config.listen().as_str(), expected);
        assert_eq!(config.listen().to_string(), expected);
    }
}

#[test]
fn wrong_addresses_are_refused() {
    for (text, expected) in [
        (":8080", "0.0.0.0:8080 listens on every interface"),
        ("8080", "goes in PORT"),
        ("127.0.0.1", "a port after the host"),
        ("localhost", "a port after the host"),
        ("::1", "brackets around an IPv6 address"),
        ("[::1]", "a host and a port"),
        ("::1:8080", "brackets around an IPv6 address"),
        ("fe80::1:2:3:4:5:6:7:8080", "a host and a port"),
        ("127.0.0.1:", "a host and a port"),
        ("127.0.0.1:65536", "a host and a port"),
        ("127.0.0.1:http", "a host and a port"),
        ("127.0.0.256:80", "a host and a port"),
        ("1.2.3:80", "a host and a port"),
        ("http://localhost:8080", "without scheme or path"),
        ("localhost:8080/", "without scheme or path"),
        ("local host:80", "a host and a port"),
        ("a..b:80", "a host and a port"),
        ("*:80", "a host and a port"),
    ] {
        assert_problem_at(with_backend(&[], &[("LISTEN", text)]), "LISTEN", expected);
    }
}

#[test]
fn port_listens_on_every_interface() {
    let port = |text| with_backend(&[], &[("PORT", text)]);
    assert_eq!(port("8081").unwrap().listen().as_str(), "0.0.0.0:8081");
    assert_eq!(port("0").unwrap().listen().as_str(), "0.0.0.0:0");
    for text in ["65536", "-1", "http", "tcp://10.0.0.1:80", "80.0"] {
        assert_problem_at(port(text), "PORT", "a port number");
    }
}

#[test]
fn flags_override_variables_and_an_address_overrides_a_port() {
    let variables = [("LISTEN", "127.0.0.1:1"), ("PORT", "2")];
    for (flags, variables, expected) in [
        (
            &["--listen", "127.0.0.1:3"][..],
            &variables[..],
            "127.0.0.1:3",
        ),
        (&["--port", "4"], &variables, "0.0.0.0:4"),
        (&[], &variables, "127.0.0.1:1"),
        (&[], &variables[1..], "0.0.0.0:2"),
        (&["--port="], &variables[1..], "0.0.0.0:2"),
        (
            &[],
            &[("LISTEN", "127.0.0.1:1"), ("PORT", "none")],
            "127.0.0.1:1",
        ),
    ] {
        let config = with_backend(flags, variables).unwrap();
        assert_eq!(
            config.listen().as_str(),
            expected,
            "{flags:?} {variables:?}"
        );
    }
    let bad = with_backend(&["--listen", "no"], &variables);
    assert_problem_at(bad, "--listen", "a port after the host");
    let bad = with_backend(&["--port", "no"], &variables);
    assert_problem_at(bad, "--port", "a port number");
}

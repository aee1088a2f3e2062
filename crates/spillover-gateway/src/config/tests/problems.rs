use super::{assert_problem_at, config, problems, with_backend};

const URL: (&str, &str) = ("BACKEND_1_URL", "https://a.example");
const PRIORITY: (&str, &str) = ("BACKEND_1_PRIORITY", "1");

#[test]
fn label_needs_a_url() {
    for (name, value, expected) in [
        (
            "BACKEND_2_PRIORITY",
            "1",
            "not set, but BACKEND_2_PRIORITY is; expected an absolute URL",
        ),
        ("BACKEND_2_APIKEY", "k", "not set, but BACKEND_2_APIKEY is"),
        (
            "backend_2_deployment_name",
            "d",
            "not set, but backend_2_deployment_name is",
        ),
        // The name ends with a known key, so its label is `1_2`. It is no misspelt key of the label `1`.
        (
            "BACKEND_1_2_APIKEY",
            "k",
            "not set, but BACKEND_1_2_APIKEY is",
        ),
    ] {
        let error = with_backend(&[], &[(name, value)]).unwrap_err();
        let url = error.problems().last().unwrap();
        assert!(url.place().ends_with("2_URL"), "{url}");
        assert!(url.message().starts_with(expected), "{url}");
    }
}

#[test]
fn label_needs_a_priority() {
    for url in ["BACKEND_east_URL", "backend_East_url"] {
        assert_problem_at(
            config(&[], &[(url, "https://a.example")]),
            "BACKEND_EAST_PRIORITY",
            "not set; expected a whole number",
        );
    }
}

#[test]
fn wrong_values_of_a_backend_are_refused() {
    for (name, value, expected) in [
        ("BACKEND_2_URL", "a.example", "an absolute URL"),
        ("BACKEND_2_URL", "ftp://a.example", "an absolute URL"),
        (
            "BACKEND_2_URL",
            "https://user:pass@a.example",
            "without user",
        ),
        (
            "BACKEND_2_URL",
            "https://a.example?x=1",
            "without user, query or fragment",
        ),
        ("backend_2_priority", "1.5", "a whole number"),
        ("BACKEND_2_PRIORITY", "-1", "a whole number"),
        ("BACKEND_2_PRIORITY", "4294967296", "a whole number"),
        ("BACKEND_2_PRIORITY", "first", "a whole number"),
        ("BACKEND_2_APIKEY", "a\nb", "visible ASCII"),
        ("BACKEND_2_APIKEY", "schlüssel", "visible ASCII"),
        ("Backend_2_Deployment_Name", "a/b", "a deployment name"),
        ("BACKEND_2_DEPLOYMENT_NAME", "..", "a deployment name"),
        (
            "BACKEND_2_PROTOCOL",
            "h3",
            "\"auto\", \"http1\" or \"http2\"",
        ),
    ] {
        let mut variables = vec![(name, value)];
        for other in [
            ("BACKEND_2_URL", "https://a.example"),
            ("BACKEND_2_PRIORITY", "1"),
        ] {
            if !name.eq_ignore_ascii_case(other.0) {
                variables.push(other);
            }
        }
        assert_problem_at(config(&[], &variables), name, expected);
    }
}

#[test]
fn wrong_label_is_reported_at_its_url() {
    for url in ["BACKEND_é_URL", "BACKEND_a b_URL"] {
        let priority = url.replace("URL", "PRIORITY");
        let variables = [(url, "https://a.example"), (&*priority, "1")];
        assert_problem_at(config(&[], &variables), url, "the label: expected");
    }
}

#[test]
fn names_cannot_steer_a_terminal() {
    let lines = problems(&[], &[("BACKEND_\u{1b}[2J_PRIORITY", "x")]);
    assert!(!lines.concat().contains('\u{1b}'), "{lines:?}");
}

#[test]
fn misspelt_key_gets_a_suggestion() {
    for (name, meant) in [
        ("BACKEND_1_PRIORTY", "BACKEND_1_PRIORITY"),
        ("BACKEND_1_PRIO", "BACKEND_1_PRIORITY"),
        ("backend_1_api_key", "BACKEND_1_APIKEY"),
        ("BACKEND_1_API-KEY", "BACKEND_1_APIKEY"),
        ("BACKEND_1_DEPLOYMENT", "BACKEND_1_DEPLOYMENT_NAME"),
        ("BACKEND_1_DEPLOYMENTNAME", "BACKEND_1_DEPLOYMENT_NAME"),
        ("BACKEND_1_URI", "BACKEND_1_URL"),
        ("BACKEND_1_ULR", "BACKEND_1_URL"),
    ] {
        let expected = format!("did you mean {meant}?");
        assert_problem_at(with_backend(&[], &[(name, "x")]), name, &expected);
    }
    for name in [
        "BACKEND_1_WEIGHT",
        "BACKEND_1_",
        "BACKEND_1_SERVICE",
        "BACKEND_1_é",
    ] {
        let expected = "expected BACKEND_1 with _URL, _PRIORITY, _APIKEY, _AUTH, _DEPLOYMENT_NAME, _KIND or _PROTOCOL";
        assert_problem_at(with_backend(&[], &[(name, "x")]), name, expected);
    }
}

#[test]
fn misspelt_url_gets_a_suggestion() {
    let lines = problems(&[], &[PRIORITY, ("BACKEND_1_ULR", "https://a.example")]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("BACKEND_1_ULR: an unknown key; did you mean BACKEND_1_URL?"));
    assert!(lines[1].starts_with("BACKEND_1_URL: not set, but BACKEND_1_PRIORITY is"));
}

#[test]
fn variable_belongs_to_the_longest_label() {
    let variables = [
        URL,
        PRIORITY,
        ("BACKEND_1_B_URL", "https://b.example"),
        ("BACKEND_1_B_PRIORITY", "1"),
    ];
    for (name, meant) in [
        ("BACKEND_1_B_PRIORTY", "BACKEND_1_B_PRIORITY"),
        ("BACKEND_1_BB_PRIORTY", "BACKEND_1_PRIORITY"),
        ("BACKEND_1_URLS", "BACKEND_1_URL"),
    ] {
        let variables = [&variables[..], &[(name, "x")]].concat();
        assert_problem_at(config(&[], &variables), name, meant);
    }
}

#[cfg(unix)]
#[test]
fn values_that_are_not_unicode_are_refused() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};

    use clap::Parser;

    use crate::config::{Cli, Config};

    let cli = Cli::parse_from(["spillover"]);
    let garbage = || OsString::from_vec(b"hunter2\xff".to_vec());
    let good = || [URL, PRIORITY].map(|(name, value)| (name.into(), value.into()));
    for name in ["BACKEND_1_APIKEY", "LISTEN", "PORT", "LOG_FORMAT"] {
        let variables = good().into_iter().chain([(name.into(), garbage())]);
        assert_problem_at(Config::from(&cli, variables), name, "text in UTF-8");
    }
    for name in ["BACKEND_OTHER", "BACKEND_1_SERVICE_HOST", "UNRELATED"] {
        let variables = good().into_iter().chain([(name.into(), garbage())]);
        assert!(Config::from(&cli, variables).is_ok(), "{name}");
    }
    let flags = [OsString::from("spillover"), "--backend".into(), garbage()];
    let cli = Cli::try_parse_from(flags).unwrap();
    assert_problem_at(Config::from(&cli, good()), "--backend #1", "text in UTF-8");
}

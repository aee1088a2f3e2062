use super::{assert_problem_at, config, lines, problems};
use spillover_proxy::upstream::Protocol;

#[test]
fn a_backend_is_what_its_variables_say() {
    let config = config(
        &[],
        &[
            ("BACKEND_1_URL", " https://a.example/base \n"),
            ("BACKEND_1_PRIORITY", " 0 "),
            ("BACKEND_1_APIKEY", " s3cret\r\n"),
            ("BACKEND_1_DEPLOYMENT_NAME", "gpt-4o "),
            ("BACKEND_1_PROTOCOL", " HTTP2"),
            ("backend_2_url", "http://b.example"),
            ("Backend_2_Priority", "4294967295"),
            ("BACKEND_2_APIKEY", "  "),
            ("BACKEND_2_DEPLOYMENT_NAME", ""),
        ],
    )
    .unwrap();

    let protocols = config.pools[0].backends.iter().map(|it| it.protocol);
    assert!(protocols.eq([Protocol::Http2, Protocol::Auto]));
    let [first, second] = config.backends()[..] else {
        panic!("two backends");
    };
    assert_eq!(first.label(), "1");
    assert_eq!(first.url(), "https://a.example/base");
    assert_eq!(first.priority(), 0);
    let (name, value) = first.credential().unwrap().field().unwrap();
    assert_eq!(
        (name.as_str(), value.to_str().unwrap()),
        ("api-key", "s3cret")
    );
    assert_eq!(first.deployment(), Some("gpt-4o"));

    assert_eq!(second.label(), "2");
    assert_eq!(second.priority(), u32::MAX);
    assert!(second.credential().unwrap().field().is_none());
    assert_eq!(second.deployment(), None);
}

#[test]
fn a_label_is_whatever_stands_before_a_known_key() {
    for (url, priority, label) in [
        ("BACKEND_1_URL", "BACKEND_1_PRIORITY", "1"),
        (
            "BACKEND_EAST_US_2_URL",
            "BACKEND_EAST_US_2_PRIORITY",
            "EAST_US_2",
        ),
        ("backend_East-Us_url", "BACKEND_EAST-US_PRIORITY", "East-Us"),
        ("BACKEND_URL_URL", "BACKEND_url_PRIORITY", "URL"),
        (
            "BACKEND_my_priority_URL",
            "BACKEND_MY_PRIORITY_PRIORITY",
            "my_priority",
        ),
        (
            "BACKEND_DEPLOYMENT_NAME_URL",
            "BACKEND_deployment_name_PRIORITY",
            "DEPLOYMENT_NAME",
        ),
        (
            "BACKEND_BACKEND_1_URL",
            "BACKEND_BACKEND_1_PRIORITY",
            "BACKEND_1",
        ),
        ("BACKEND___URL", "BACKEND___PRIORITY", "_"),
        ("BACKEND_a.b_URL", "BACKEND_a.b_PRIORITY", "a.b"),
    ] {
        let config = config(&[], &[(priority, "1"), (url, "https://a.example")]).unwrap();
        assert_eq!(config.backends().len(), 1, "{url}");
        assert_eq!(config.backends()[0].label(), label);
    }
}

#[test]
fn labels_may_be_prefixes_of_each_other() {
    let config = config(
        &[],
        &[
            ("BACKEND_A_URL", "https://a.example"),
            ("BACKEND_A_PRIORITY", "1"),
            ("BACKEND_A_B_URL", "https://b.example"),
            ("BACKEND_A_B_PRIORITY", "2"),
        ],
    )
    .unwrap();
    let labels: Vec<_> = config.backends().iter().map(|b| b.label()).collect();
    assert_eq!(labels, ["A", "A_B"]);
}

#[test]
fn backends_are_listed_by_priority_then_label() {
    let mut variables = Vec::new();
    for (label, priority) in [
        ("10", "2"),
        ("b", "2"),
        ("2", "2"),
        ("C", "2"),
        ("z", "1"),
        ("A", "2"),
    ] {
        variables.push((format!("BACKEND_{label}_URL"), "https://a.example"));
        variables.push((format!("BACKEND_{label}_PRIORITY"), priority));
    }
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (&**name, *value))
        .collect();
    let config = config(&[], &variables).unwrap();
    let labels: Vec<_> = config.backends().iter().map(|b| b.label()).collect();
    assert_eq!(labels, ["z", "2", "10", "A", "b", "C"]);
}

#[test]
fn labels_that_differ_only_in_case_are_a_problem() {
    let variables = [
        ("BACKEND_east_URL", "https://a.example"),
        ("BACKEND_east_PRIORITY", "1"),
        ("BACKEND_EAST_URL", "https://b.example"),
        ("BACKEND_EAST_PRIORITY", "2"),
    ];
    let lines = problems(&[], &variables);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("BACKEND_EAST_PRIORITY and BACKEND_east_PRIORITY: set more than once")
    );
    assert!(lines[1].starts_with("BACKEND_EAST_URL and BACKEND_east_URL: set more than once"));
}

#[test]
fn nothing_set_says_what_to_set() {
    let expected = "for example BACKEND_1_URL=https://name.openai.azure.com BACKEND_1_PRIORITY=1";
    for variables in [
        &[][..],
        &[("BACKEND_1_URL", " "), ("BACKEND_1_PRIORITY", "")],
        &[
            ("PATH", "/bin"),
            ("BACKENDS", "x"),
            ("LISTEN", "127.0.0.1:80"),
        ],
    ] {
        assert_problem_at(config(&[], variables), "BACKEND_<LABEL>_URL", expected);
    }
    assert_problem_at(
        config(&["--backend", ""], &[]),
        "BACKEND_<LABEL>_URL",
        expected,
    );

    let seen = [("BACKEND_URL", "x"), ("backend_host", "y")];
    assert_problem_at(
        config(&[], &seen),
        "BACKEND_<LABEL>_URL",
        "; ignored: backend_host, BACKEND_URL",
    );
}

#[test]
fn too_many_backends_are_a_problem() {
    let names: Vec<_> = (0..=spillover_core::Pool::MAX_BACKENDS)
        .flat_map(|i| [format!("BACKEND_{i}_URL"), format!("BACKEND_{i}_PRIORITY")])
        .collect();
    let values = ["https://a.example", "1"].into_iter().cycle();
    let variables: Vec<_> = names.iter().map(|name| &**name).zip(values).collect();
    let expected = "expected at most";
    assert_problem_at(config(&[], &variables), "BACKEND_<LABEL>_URL", expected);
    assert!(config(&[], &variables[2..]).is_ok());
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let variables = [
        ("BACKEND_2_PRIORITY", "high"),
        ("BACKEND_10_URL", "a.example"),
        ("BACKEND_10_APIKEY", "line\nbreak"),
        ("BACKEND_10_DEPLOYMENT_NAME", "a/b"),
        ("BACKEND_1_URL", "https://a.example"),
        ("BACKEND_1_PRIORITY", "1"),
        ("LISTEN", "nowhere"),
        ("HTTP_TIMEOUT_SECONDS", "soon"),
        ("WHEN_EXHAUSTED", "panic"),
        ("EXPOSE_BACKEND_URL", "maybe"),
        ("LOG_FORMAT", "xml"),
    ];
    let error = config(&[], &variables).unwrap_err();
    let places: Vec<_> = error.problems().iter().map(|p| p.place()).collect();
    assert_eq!(
        places,
        [
            "BACKEND_2_PRIORITY",
            "BACKEND_2_URL",
            "BACKEND_10_APIKEY",
            "BACKEND_10_DEPLOYMENT_NAME",
            "BACKEND_10_PRIORITY",
            "BACKEND_10_URL",
            "EXPOSE_BACKEND_URL",
            "HTTP_TIMEOUT_SECONDS",
            "LISTEN",
            "LOG_FORMAT",
            "WHEN_EXHAUSTED",
        ]
    );
    let printed = error.to_string();
    assert!(
        printed.starts_with("bad configuration\n  BACKEND_2_PRIORITY: expected a whole number")
    );
    assert_eq!(
        printed.lines().skip(1).map(str::trim).collect::<Vec<_>>(),
        lines(&error)
    );
}

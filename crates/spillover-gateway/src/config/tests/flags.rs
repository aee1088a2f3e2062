use super::{assert_problem_at, config, problems, with_backend};

const FIRST: &str = "ptu,url=https://a.example,priority=2,deployment_name=gpt-4o";

#[test]
fn flag_defines_a_backend() {
    let config = config(
        &[
            "--backend",
            FIRST,
            "--backend= b , url = http://b.example/x=y , Priority=1,",
        ],
        &[],
    );
    let config = config.unwrap();
    let [b, ptu] = config.backends()[..] else {
        panic!("two backends");
    };
    assert_eq!(
        (b.label(), b.url(), b.priority()),
        ("b", "http://b.example/x=y", 1)
    );
    assert_eq!((ptu.label(), ptu.priority()), ("ptu", 2));
    assert_eq!(ptu.deployment(), Some("gpt-4o"));
}

#[test]
fn flag_overrides_the_variable_of_its_label_and_key() {
    let variables = [
        ("BACKEND_PTU_URL", "not looked at"),
        ("backend_ptu_url", "nor this"),
        ("BACKEND_PTU_PRIORITY", "7"),
        ("BACKEND_PTU_APIKEY", "s3cret"),
    ];
    let flags = [
        "--backend",
        "ptu,url=https://flag.example,priority=",
        "--backend",
        "Ptu,deployment_name=d",
    ];
    let config = config(&flags, &variables).unwrap();
    let [backend] = config.backends()[..] else {
        panic!("one backend");
    };
    assert_eq!(backend.label(), "ptu");
    assert_eq!(backend.url(), "https://flag.example");
    assert_eq!(backend.priority(), 7);
    assert_eq!(backend.deployment(), Some("d"));
    assert!(backend.credential().is_some());
}

#[test]
fn label_is_spelled_as_in_the_url_variable() {
    let variables = [("BACKEND_Ptu_URL", "https://a.example")];
    let config = config(&["--backend", "ptu,priority=1"], &variables).unwrap();
    assert_eq!(config.backends()[0].label(), "Ptu");
}

#[test]
fn missing_setting_is_reported_as_flag_or_variable_like_the_others() {
    assert_problem_at(
        config(&["--backend", "ptu,url=https://a.example"], &[]),
        "--backend ptu,priority",
        "not set; expected a whole number",
    );
    assert_problem_at(
        config(&["--backend", "ptu,priority=1"], &[]),
        "--backend ptu,url",
        "not set, but --backend ptu,priority is",
    );
    assert_problem_at(
        config(
            &["--backend", "ptu,url=https://a.example"],
            &[("BACKEND_PTU_APIKEY", "k")],
        ),
        "BACKEND_PTU_PRIORITY",
        "not set",
    );
}

#[test]
fn wrong_values_are_reported_at_flag_and_key() {
    for (flag, place, expected) in [
        ("1,url=a.example", "--backend 1,url", "an absolute URL"),
        ("1,priority=x", "--backend 1,priority", "a whole number"),
        (
            "1,deployment_name=a/b",
            "--backend 1,deployment_name",
            "a deployment name",
        ),
        (
            "1,url=https://a,url=https://b",
            "--backend 1,url",
            "set more than once",
        ),
        ("1,priorty=1", "--backend 1", "did you mean priority?"),
        ("1,uri=https://a", "--backend 1", "did you mean url?"),
        (
            "1,weight=1",
            "--backend 1",
            "expected url, priority, auth, deployment_name, kind or protocol",
        ),
        (
            "1,=1",
            "--backend 1",
            "expected url, priority, auth, deployment_name, kind or protocol",
        ),
    ] {
        assert_problem_at(with_backend(&["--backend", flag], &[]), place, expected);
    }
    let spaced = ["--backend", "a b,url=https://a.example,priority=1"];
    assert_problem_at(
        config(&spaced, &[]),
        "--backend a b,url",
        "the label: expected",
    );
}

#[test]
fn api_key_is_refused_as_a_flag() {
    for key in ["apikey", "APIKEY", "api_key", "api-key", "apiKey"] {
        let flag = format!("ptu,{key}=hunter2");
        let variables = [("BACKEND_PTU_APIKEY", "k")];
        let lines = problems(&["--backend", &flag], &variables[..0]);
        assert_eq!(
            lines,
            [
                "--backend ptu: process lists show flags, so no API key is taken here; set it in BACKEND_PTU_APIKEY"
            ],
        );
    }
}

#[test]
fn malformed_flag_is_reported_by_its_number() {
    for flag in [
        "ptu",
        "ptu,",
        "url=https://a.example",
        ",url=https://a.example",
        "ptu,url",
        "ptu,url=x,y",
    ] {
        assert_problem_at(
            config(&["--backend", FIRST, "--backend", flag], &[]),
            "--backend #2",
            "expected LABEL,KEY=VALUE,...",
        );
        assert_problem_at(
            config(&["--backend", flag], &[]),
            "--backend #1",
            "LABEL,KEY=VALUE",
        );
    }
}

//! Settings by environment variables and flags, and the messages for bad ones.

use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{GatewayBuilder, Program, behaving, healthy},
    for_both_gateways, gateway, production,
};

for_both_gateways!(
    nothing_set,
    label_without_a_url,
    label_without_a_priority,
    a_bad_url,
    priority_that_is_no_number,
    a_misspelt_key,
    a_bad_value,
    names_are_read_in_any_case_and_values_are_trimmed,
);

const URL: &str = "https://name.openai.azure.com";
const SECRET: &str = "s3cret-value";

/// Asserts that a gateway with this configuration does not start and prints a line for each place. The example gateway
/// prints the first one only.
async fn assert_refused(program: Program, gateway: GatewayBuilder, places: &[(&str, &str)]) {
    let exit = gateway.env("UNRELATED", SECRET).run().await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    let heading = match program.is_production() {
        true => "spillover: bad configuration\n",
        false => "gateway: ",
    };
    let problems = exit.stderr.strip_prefix(heading).expect(heading);
    let problems: Vec<_> = problems.lines().collect();
    assert_eq!(problems.len(), places.len(), "{problems:#?}");
    for (problem, (place, expected)) in problems.iter().zip(places) {
        assert!(
            problem.trim_start().starts_with(place),
            "{problem:?} is not about {place}"
        );
        assert!(
            problem.contains(expected),
            "{problem:?} does not say {expected:?}"
        );
    }
    assert_eq!(exit.stdout, "");
    assert!(!exit.stderr.contains(SECRET), "{}", exit.stderr);
}

async fn nothing_set(program: Program) {
    let expected = match program.is_production() {
        true => "for example BACKEND_1_URL=",
        false => "at least one backend",
    };
    let places = [("BACKEND_<LABEL>_URL: ", expected)];
    assert_refused(program, program.gateway(), &places).await;
}

async fn label_without_a_url(program: Program) {
    let gateway = program
        .gateway()
        .envs([("BACKEND_1_PRIORITY", "1"), ("BACKEND_1_APIKEY", SECRET)]);
    let place = match program.is_production() {
        true => ("BACKEND_1_URL: ", "not set, but BACKEND_1_PRIORITY is"),
        false => (
            "BACKEND_1_APIKEY: ",
            "expected a key of a backend with a URL",
        ),
    };
    assert_refused(program, gateway, &[place]).await;
}

async fn label_without_a_priority(program: Program) {
    let gateway = program
        .gateway()
        .envs([("BACKEND_1_URL", URL), ("BACKEND_1_APIKEY", SECRET)]);
    assert_refused(
        program,
        gateway,
        &[("BACKEND_1_PRIORITY: ", "expected a whole number")],
    )
    .await;
}

async fn a_bad_url(program: Program) {
    for url in [
        "name.openai.azure.com",
        "ftp://name",
        "https://",
        &format!("https://user:{SECRET}@name"),
    ] {
        let places = [("BACKEND_1_URL: ", "expected an absolute URL, http or https")];
        assert_refused(program, program.gateway().backend("1", 1, url), &places).await;
    }
}

async fn priority_that_is_no_number(program: Program) {
    for priority in ["high", "1.5", "-1", SECRET] {
        let gateway = program
            .gateway()
            .backend("1", 1, URL)
            .env("BACKEND_1_PRIORITY", priority);
        assert_refused(
            program,
            gateway,
            &[("BACKEND_1_PRIORITY: ", "expected a whole number")],
        )
        .await;
    }
}

#[tokio::test]
async fn labels_that_differ_only_in_case() {
    let gateway = gateway!().backend("east", 1, URL).backend("EAST", 2, URL);
    let twice = "set more than once";
    let places = [
        ("BACKEND_EAST_AUTH and BACKEND_east_AUTH: ", twice),
        ("BACKEND_EAST_PRIORITY and BACKEND_east_PRIORITY: ", twice),
        ("BACKEND_EAST_URL and BACKEND_east_URL: ", twice),
    ];
    assert_refused(production!(), gateway, &places).await;
}

async fn a_misspelt_key(program: Program) {
    for name in ["BACKEND_1_API_KEY", "BACKEND_1_APIKEYS", "backend_1_apkey"] {
        let gateway = program.gateway().backend("1", 1, URL).env(name, SECRET);
        let upper = name.to_ascii_uppercase();
        let (place, expected) = match program.is_production() {
            true => (name, "did you mean BACKEND_1_APIKEY?"),
            false => (&*upper, "expected a key of a backend with a URL"),
        };
        assert_refused(program, gateway, &[(&format!("{place}: "), expected)]).await;
    }
}

async fn a_bad_value(program: Program) {
    for (name, value, expected) in [
        ("BACKEND_1_AUTH", SECRET, "expected key, bearer"),
        ("BACKEND_1_APIKEY", "of two\nlines", "expected "),
        (
            "BACKEND_1_DEPLOYMENT_NAME",
            "a/b",
            "expected a deployment name",
        ),
        (
            "HTTP_TIMEOUT_SECONDS",
            "soon",
            "expected a number of seconds",
        ),
        ("HTTP_TIMEOUT_SECONDS", "-1", "expected a number of seconds"),
        ("LISTEN", "8080", "expected "),
    ] {
        let gateway = program.gateway().key("1", "a key").backend("1", 1, URL);
        let place = format!("{name}: ");
        assert_refused(program, gateway.env(name, value), &[(&place, expected)]).await;
    }
}

#[tokio::test]
async fn bad_settings_are_reported_all_at_once() {
    let gateway = gateway!().backend("1", 1, URL).envs([
        ("HTTP_TIMEOUT_SECONDS", "soon"),
        ("WHEN_EXHAUSTED", "wait"),
        ("EXPOSE_BACKEND_URL", "perhaps"),
        ("LISTEN", "8080"),
        ("LOG_FORMAT", "yaml"),
        ("BACKEND_1_DEPLOYMENT_NAME", "a/b"),
    ]);
    let places = [
        ("BACKEND_1_DEPLOYMENT_NAME: ", "expected a deployment name"),
        ("EXPOSE_BACKEND_URL: ", "expected true or false"),
        ("HTTP_TIMEOUT_SECONDS: ", "expected a number of seconds"),
        ("LISTEN: ", "expected a host before the port"),
        ("LOG_FORMAT: ", "expected auto, text or json"),
        (
            "WHEN_EXHAUSTED: ",
            "expected forward, reject or wait:<duration>",
        ),
    ];
    assert_refused(production!(), gateway, &places).await;
}

#[tokio::test]
async fn key_as_a_flag_is_refused() {
    let flag = format!("1,url={URL},priority=1,apikey={SECRET}");
    let gateway = gateway!().args(["--backend", &flag]);
    assert_refused(
        production!(),
        gateway,
        &[("--backend 1", "BACKEND_1_APIKEY")],
    )
    .await;
}

#[tokio::test]
async fn unknown_flag_is_a_bad_configuration_too() {
    let exit = gateway!().args(["--priority", "1"]).run().await;
    assert_eq!(exit.code, Some(2));
    assert!(exit.stderr.contains("--priority"), "{}", exit.stderr);
}

async fn names_are_read_in_any_case_and_values_are_trimmed(program: Program) {
    let backend = healthy().await;
    let url = format!(" {} \n", backend.url());
    let gateway = program
        .gateway()
        .envs([
            ("backend_East-Us_url", &*url),
            ("BACKEND_EAST-US_Priority", " 1 "),
            ("BACKEND_EAST-US_auth", " Passthrough"),
            ("Expose_Backend_Url", "TRUE"),
        ])
        .start()
        .await;
    let answer = gateway.get("/v1/models").await;
    let label = match program.is_production() {
        true => "East-Us",
        false => "east-us",
    };
    assert_eq!((answer.status, answer.backend()), (200, label));
    let url = answer.header("x-openai-backendurl");
    assert_eq!(url.is_some(), program.is_production());
    assert!(url.is_none_or(|url| url == backend.url()));
}

#[tokio::test]
async fn flags_win_over_variables() {
    let (by_variable, by_flag) = (healthy().await, behaving(Behavior::stall()).await);
    let flag = format!("only,url={},priority=1", by_flag.url());
    let gateway = gateway!()
        .backend("only", 7, by_variable.url())
        .envs([
            ("LISTEN", "127.0.0.1:1"),
            ("HTTP_TIMEOUT_SECONDS", "86400"),
            ("EXPOSE_BACKEND_URL", "false"),
        ])
        .args([
            "--backend",
            &flag,
            "--listen",
            "127.0.0.1:0",
            "--http-timeout-seconds",
            "0.3",
        ])
        .args(["--expose-backend-url"])
        .start()
        .await;

    let answer = gateway.get("/v1/models").await;
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("within 0.3 s"), "{}", answer.text());
    assert_eq!(answer.header("x-openai-backendurl"), Some(&*by_flag.url()));
    assert_eq!(by_variable.handle().stats().received, 0);
}

#[tokio::test]
async fn port_alone_means_every_interface() {
    let gateway = gateway!().backend("only", 1, URL.replace("https", "http"));
    let gateway = gateway.without("LISTEN").env("PORT", "0").start().await;
    assert!(
        gateway.address().ip().is_unspecified(),
        "{}",
        gateway.address()
    );
}

#[tokio::test]
async fn help_and_version_go_to_standard_output() {
    let help = gateway!().args(["--help"]).run().await;
    assert_eq!((help.code, &*help.stderr), (Some(0), ""));
    for name in [
        "BACKEND_<LABEL>_URL",
        "--when-exhausted",
        "RUST_LOG",
        "spillover demo",
    ] {
        assert!(
            help.stdout.contains(name),
            "{name} is not in {}",
            help.stdout
        );
    }
    let version = gateway!().args(["--version"]).run().await;
    assert_eq!((version.code, &*version.stderr), (Some(0), ""));
    assert_eq!(
        version.stdout,
        concat!("spillover ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

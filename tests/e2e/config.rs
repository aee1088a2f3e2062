//! What the gateway is told by its environment and its flags, and what it says when it is told nonsense.

use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{GatewayBuilder, behaving, healthy},
    gateway,
};

const URL: &str = "https://name.openai.azure.com";
const SECRET: &str = "s3cret-value";

/// A gateway with this configuration does not start, and says in one line for each place why.
async fn assert_refused(gateway: GatewayBuilder, places: &[(&str, &str)]) {
    let exit = gateway.env("UNRELATED", SECRET).run().await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(
        exit.stderr.starts_with("spillover: bad configuration\n"),
        "{}",
        exit.stderr
    );
    let problems: Vec<_> = exit.stderr.lines().skip(1).collect();
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

#[tokio::test]
async fn nothing_set() {
    assert_refused(
        gateway!(),
        &[("BACKEND_<LABEL>_URL: ", "for example BACKEND_1_URL=")],
    )
    .await;
}

#[tokio::test]
async fn a_label_without_a_url() {
    let gateway = gateway!().envs([("BACKEND_1_PRIORITY", "1"), ("BACKEND_1_APIKEY", SECRET)]);
    assert_refused(
        gateway,
        &[("BACKEND_1_URL: ", "not set, but BACKEND_1_PRIORITY is")],
    )
    .await;
}

#[tokio::test]
async fn a_label_without_a_priority() {
    let gateway = gateway!().envs([("BACKEND_1_URL", URL), ("BACKEND_1_APIKEY", SECRET)]);
    assert_refused(
        gateway,
        &[("BACKEND_1_PRIORITY: ", "expected a whole number")],
    )
    .await;
}

#[tokio::test]
async fn a_bad_url() {
    for url in [
        "name.openai.azure.com",
        "ftp://name",
        "https://",
        &format!("https://user:{SECRET}@name"),
    ] {
        let places = [("BACKEND_1_URL: ", "expected an absolute URL, http or https")];
        assert_refused(gateway!().backend("1", 1, url), &places).await;
    }
}

#[tokio::test]
async fn a_priority_that_is_no_number() {
    for priority in ["high", "1.5", "-1", SECRET] {
        let gateway = gateway!()
            .backend("1", 1, URL)
            .env("BACKEND_1_PRIORITY", priority);
        assert_refused(
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
    assert_refused(gateway, &places).await;
}

#[tokio::test]
async fn a_misspelt_key() {
    for name in ["BACKEND_1_API_KEY", "BACKEND_1_APIKEYS", "backend_1_apkey"] {
        let gateway = gateway!().backend("1", 1, URL).env(name, SECRET);
        assert_refused(
            gateway,
            &[(&format!("{name}: "), "did you mean BACKEND_1_APIKEY?")],
        )
        .await;
    }
}

#[tokio::test]
async fn bad_settings_of_the_gateway_are_reported_all_at_once() {
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
    assert_refused(gateway, &places).await;
}

#[tokio::test]
async fn a_key_as_a_flag() {
    let flag = format!("1,url={URL},priority=1,apikey={SECRET}");
    let gateway = gateway!().args(["--backend", &flag]);
    assert_refused(gateway, &[("--backend 1", "BACKEND_1_APIKEY")]).await;
}

#[tokio::test]
async fn an_unknown_flag_is_a_bad_configuration_too() {
    let exit = gateway!().args(["--priority", "1"]).run().await;
    assert_eq!(exit.code, Some(2));
    assert!(exit.stderr.contains("--priority"), "{}", exit.stderr);
}

#[tokio::test]
async fn names_are_read_in_any_case_and_values_are_trimmed() {
    let backend = healthy().await;
    let url = format!(" {} \n", backend.url());
    let gateway = gateway!()
        .envs([
            ("backend_East-Us_url", &*url),
            ("BACKEND_EAST-US_Priority", " 1 "),
            ("BACKEND_EAST-US_auth", " Passthrough"),
            ("Expose_Backend_Url", "TRUE"),
        ])
        .start()
        .await;
    let answer = gateway.get("/v1/models").await;
    assert_eq!((answer.status, answer.backend()), (200, "East-Us"));
    assert_eq!(answer.header("x-openai-backendurl"), Some(&*backend.url()));
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
async fn a_port_alone_means_every_interface() {
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

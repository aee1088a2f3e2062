use std::time::Duration;

use proptest::prelude::*;
use spillover_serve::ListenAddr;
use tower_spillover::select::WhenExhausted;

use super::{assert_problem_at, with_backend};
use crate::config::{LogFormat, values};

#[test]
fn everything_has_a_default() {
    let config = with_backend(&[], &[]).unwrap();

    assert_eq!(config.listen().as_str(), "127.0.0.1:8080");
    assert_eq!(
        config.pools[0].timeouts.response_head,
        Duration::from_secs(100)
    );
    assert!(matches!(
        config.pools[0].when_exhausted,
        WhenExhausted::Forward
    ));
    assert!(!config.pools[0].expose_backend_url);
    assert_eq!(config.log_format, LogFormat::Auto);
    assert!(config.ignored.is_empty());
}

#[test]
fn a_variable_is_read_in_any_case_and_trimmed_and_a_flag_wins() {
    let variables = [
        ("Http_Timeout_Seconds", " 7\n"),
        ("when_exhausted", "\treject"),
        ("expose_backend_url", "yes"),
        ("Log_Format", "json "),
    ];
    let by_variables = with_backend(&[], &variables).unwrap();
    assert_eq!(
        by_variables.pools[0].timeouts.response_head,
        Duration::from_secs(7)
    );
    assert!(matches!(
        by_variables.pools[0].when_exhausted,
        WhenExhausted::Reject
    ));
    assert!(by_variables.pools[0].expose_backend_url);
    assert_eq!(by_variables.log_format, LogFormat::Json);

    let flags = [
        "--http-timeout-seconds= 8 ",
        "--when-exhausted=forward",
        "--expose-backend-url=false",
        "--log-format=text",
    ];
    let by_flags = with_backend(&flags, &variables).unwrap();
    assert_eq!(
        by_flags.pools[0].timeouts.response_head,
        Duration::from_secs(8)
    );
    assert!(matches!(
        by_flags.pools[0].when_exhausted,
        WhenExhausted::Forward
    ));
    assert!(!by_flags.pools[0].expose_backend_url);
    assert_eq!(by_flags.log_format, LogFormat::Text);
}

#[test]
fn what_is_empty_counts_as_not_set() {
    let variables = [
        ("HTTP_TIMEOUT_SECONDS", "9"),
        ("http_timeout_seconds", " "),
        ("WHEN_EXHAUSTED", ""),
        ("LOG_FORMAT", "\t"),
    ];
    let config = with_backend(&["--http-timeout-seconds=", "--listen="], &variables).unwrap();

    assert_eq!(
        config.pools[0].timeouts.response_head,
        Duration::from_secs(9)
    );
    assert_eq!(config.listen().as_str(), "127.0.0.1:8080");
}

#[test]
fn what_a_flag_overrides_is_not_looked_at() {
    let variables = [("LOG_FORMAT", "xml"), ("log_format", "yaml")];
    assert!(with_backend(&["--log-format", "json"], &variables).is_ok());
}

#[test]
fn a_variable_in_two_spellings_is_a_problem() {
    for values in [["json", "json"], ["json", "text"]] {
        let variables = [("log_format", values[0]), ("LOG_FORMAT", values[1])];
        assert_problem_at(
            with_backend(&[], &variables),
            "LOG_FORMAT and log_format",
            "case does not matter",
        );
    }
}

#[test]
fn timeouts() {
    let timeout = |text| with_backend(&[], &[("HTTP_TIMEOUT_SECONDS", text)]);
    let good = [
        ("1", 1_000),
        ("2.5", 2_500),
        (".25", 250),
        ("0.001", 1),
        ("1e2", 100_000),
        ("86400", 86_400_000),
    ];
    for (text, millis) in good {
        let config = timeout(text).unwrap();
        assert_eq!(
            config.pools[0].timeouts.response_head,
            Duration::from_millis(millis),
            "{text}"
        );
    }
    let bad = [
        "0", "-1", "0.0009", "86401", "inf", "NaN", "1,5", "100s", "ten", "1e99", "0x10",
    ];
    for text in bad {
        assert_problem_at(timeout(text), "HTTP_TIMEOUT_SECONDS", "a number of seconds");
    }
}

#[test]
fn exhaustion() {
    let choice = |text| with_backend(&[], &[("WHEN_EXHAUSTED", text)]);
    for (text, millis) in [
        ("wait:2s", 2_000),
        ("wait:500ms", 500),
        ("wait:1.5s", 1_500),
        ("wait:1m", 60_000),
        ("WAIT: 1m 30s", 90_000),
        ("wait:1ms", 1),
        ("wait:24h", 86_400_000),
    ] {
        let WhenExhausted::Wait(limit) = choice(text).unwrap().pools[0].when_exhausted else {
            panic!("{text} is a wait");
        };
        assert_eq!(limit, Duration::from_millis(millis), "{text}");
    }
    for (text, expected) in [
        ("wait", "forward, reject or wait:<duration>"),
        ("queue", "forward, reject or wait:<duration>"),
        ("forward:2s", "forward, reject or wait:<duration>"),
        ("wait:2", "a unit after the number"),
        ("wait:1.5", "a unit after the number"),
        ("wait:0", "a unit after the number"),
        ("wait:", "a duration from 1ms to 24h"),
        ("wait:0s", "a duration from 1ms to 24h"),
        ("wait:1us", "a duration from 1ms to 24h"),
        ("wait:25h", "a duration from 1ms to 24h"),
        ("wait:-2s", "a duration from 1ms to 24h"),
        ("wait:2 parsecs", "a duration from 1ms to 24h"),
        ("wait:99999999999999999999s", "a duration from 1ms to 24h"),
    ] {
        assert_problem_at(choice(text), "WHEN_EXHAUSTED", expected);
    }
}

#[test]
fn truths() {
    let exposed = |text| with_backend(&[], &[("EXPOSE_BACKEND_URL", text)]);
    for (text, truth) in [
        ("true", true),
        ("True", true),
        ("YES", true),
        ("1", true),
        ("false", false),
        ("No", false),
        ("0", false),
    ] {
        assert_eq!(
            exposed(text).unwrap().pools[0].expose_backend_url,
            truth,
            "{text}"
        );
    }
    for text in ["on", "2", "yep", "truefalse"] {
        assert_problem_at(exposed(text), "EXPOSE_BACKEND_URL", "true or false");
    }
    let flag = with_backend(&["--expose-backend-url"], &[("EXPOSE_BACKEND_URL", "no")]);
    assert!(flag.unwrap().pools[0].expose_backend_url);
}

#[test]
fn log_formats() {
    let format = |text| with_backend(&[], &[("LOG_FORMAT", text)]);
    assert_eq!(format("Auto").unwrap().log_format, LogFormat::Auto);
    assert_eq!(format("TEXT").unwrap().log_format, LogFormat::Text);
    assert_problem_at(format("xml"), "LOG_FORMAT", "auto, text or json");
    assert_problem_at(
        with_backend(&["--log-format", "xml"], &[]),
        "--log-format",
        "auto, text or json",
    );
}

proptest! {
    #[test]
    fn no_value_panics(text in "wait:([0-9.]{1,12} ?[a-zA-Zµ]{1,4} ?){1,3}|[0-9a-f:.\\[\\]]{0,20}|.*") {
        let _ = values::timeout(&text);
        let _ = values::when_exhausted(&text);
        let _ = ListenAddr::parse(&text);
    }
}

#[test]
fn what_libraries_read_themselves_is_checked() {
    for (name, good, bad, expected) in [
        (
            "RUST_LOG",
            "info,hyper=debug",
            "info,=x=",
            "expected levels",
        ),
        (
            "TOKIO_WORKER_THREADS",
            " 4 ",
            "two",
            "expected a whole number",
        ),
        ("TOKIO_WORKER_THREADS", "", "0", "expected a whole number"),
    ] {
        with_backend(&[], &[(name, good)]).unwrap();
        assert_problem_at(with_backend(&[], &[(name, bad)]), name, expected);
    }
}

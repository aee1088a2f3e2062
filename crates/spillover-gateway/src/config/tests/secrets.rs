use std::ffi::OsString;

use clap::Parser;
use proptest::{prelude::*, sample::select};

use super::{config, with_backend};
use crate::config::{Cli, Config, ConfigError};

const SECRET: &str = "hunter2";

/// Returns all printed forms of a configuration or an error.
fn printed(result: &Result<Config, ConfigError>) -> String {
    match result {
        Ok(config) => format!("{config:?} {config:#?}"),
        Err(error) => format!("{error} {error:?} {error:#?}"),
    }
}

#[test]
fn debug_output_of_a_configuration_has_no_key() {
    let config = with_backend(&[], &[("BACKEND_1_APIKEY", SECRET)]);
    assert!(
        config.as_ref().unwrap().backends()[0]
            .credential()
            .is_some()
    );
    assert!(!printed(&config).contains(SECRET));
}

#[test]
fn error_has_no_value_of_a_variable() {
    for name in [
        "BACKEND_1_URL",
        "BACKEND_1_PRIORITY",
        "BACKEND_1_DEPLOYMENT_NAME",
        "BACKEND_1_KEY",
        "BACKEND_2_APIKEY",
        "BACKEND_KEY",
        "LISTEN",
        "PORT",
        "HTTP_TIMEOUT_SECONDS",
        "WHEN_EXHAUSTED",
        "EXPOSE_BACKEND_URL",
        "LOG_FORMAT",
        "ADMIN_LISTEN",
        "CLIENT_KEYS",
        "SPILLOVER_CONFIG",
        "BACKEND_1_AUTH",
    ] {
        for value in [SECRET.to_owned(), format!("{SECRET}/é\n{SECRET}")] {
            let result = config(&[], &[(name, &value)]);
            assert!(result.is_err(), "{name}");
            assert!(!printed(&result).contains(SECRET), "{name}");
        }
    }
}

#[test]
fn error_has_no_value_of_a_flag() {
    for flag in [
        "--listen=hunter2",
        "--port=hunter2",
        "--http-timeout-seconds=hunter2",
        "--when-exhausted=hunter2",
        "--when-exhausted=wait:hunter2",
        "--expose-backend-url=hunter2",
        "--log-format=hunter2",
        "--admin-listen=hunter2",
        "--config=hunter2",
        "--backend=hunter2",
        "--backend=hunter2=",
        "--backend=apikey=hunter2",
        "--backend=1,hunter2",
        "--backend=1,hunter2==",
        "--backend=1,apikey=hunter2",
        "--backend=1,url=hunter2",
        "--backend=1,priority=hunter2",
        "--backend=1,url=https://a.example,hunter2",
    ] {
        let result = with_backend(&[flag], &[]);
        assert!(result.is_err(), "{flag}");
        assert!(!printed(&result).contains(SECRET), "{flag}");

        let cli = Cli::try_parse_from(["spillover", flag]).unwrap();
        assert!(!format!("{cli:?}").contains(SECRET), "{flag}");
    }
}

/// Names of settings, and names that resemble them.
fn name() -> impl Strategy<Value = String> {
    let label = select(vec![
        "1", "2", "10", "East_US", "EAST_us", "é", "_", "", "A_PORT",
    ]);
    let key = select(vec![
        "URL",
        "url",
        "PRIORITY",
        "Priority",
        "APIKEY",
        "apikey",
        "AUTH",
        "DEPLOYMENT_NAME",
        "PRIORTY",
        "PORT",
        "SERVICE_HOST",
        "PORT_80_TCP",
        "WEIGHT",
        "",
    ]);
    let setting = select(vec![
        "LISTEN",
        "PORT",
        "port",
        "HTTP_TIMEOUT_SECONDS",
        "WHEN_EXHAUSTED",
        "EXPOSE_BACKEND_URL",
        "LOG_FORMAT",
        "ADMIN_LISTEN",
        "CLIENT_KEYS",
        "SPILLOVER_CONFIG",
    ]);
    prop_oneof![
        6 => (label, key).prop_map(|(label, key)| format!("BACKEND_{label}_{key}")),
        2 => setting.prop_map(str::to_owned),
        1 => "(?i:backend)_\\PC{0,12}",
        1 => ".*",
    ]
}

/// Values that are valid for some setting, and any others. Values that could be a key have a mark.
fn value() -> impl Strategy<Value = String> {
    let good = select(vec![
        "https://a.example",
        "1",
        "127.0.0.1:8080",
        "wait:2s",
        "json",
        "",
        " ",
        "yes",
        "gpt-4o",
    ]);
    prop_oneof![
        3 => good.prop_map(str::to_owned),
        1 => "wait:[0-9a-zµ. ]{0,8}",
        1 => "[0-9a-f:.\\[\\]]{0,20}",
        1 => ".*",
        2 => "\\PC{0,3}".prop_map(|text| format!("{text}hunter2{text}")),
    ]
}

proptest! {
    #[test]
    fn no_environment_panics_or_prints_a_key(
        variables in prop::collection::vec((name(), value()), 0..12),
        flags in prop::collection::vec((name(), value()), 0..3),
    ) {
        let flags = flags.iter().map(|(name, value)| format!("--backend={name},{value}={value}"));
        // URLs and deployments are printed, so they have no key.
        let variables = variables.into_iter().filter(|(name, value)| {
            let name = name.to_ascii_uppercase();
            !value.contains(SECRET) || !(name.ends_with("URL") || name.ends_with("NAME"))
        });
        let cli = Cli::try_parse_from(["spillover".to_owned()].into_iter().chain(flags)).unwrap();
        let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));

        let result = Config::from(&cli, variables);

        let printed = printed(&result);
        prop_assert!(!printed.contains(SECRET), "{printed}");
    }
}

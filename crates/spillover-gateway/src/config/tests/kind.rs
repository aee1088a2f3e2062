use spillover_core::BackendKind;

use super::{
    assert_problem_at, config,
    directory::Directory,
    file::{POOL, load_with},
    problems, with_backend,
};
use crate::config::{Config, ConfigError};

fn kind(config: Result<Config, ConfigError>) -> BackendKind {
    config.unwrap().backends()[0].kind()
}

#[test]
fn kind_of_a_backend_is_by_default_that_of_its_host() {
    assert_eq!(kind(with_backend(&[], &[])), BackendKind::Other);
    let declared = with_backend(&[], &[("BACKEND_1_KIND", " Azure ")]);
    assert_eq!(kind(declared), BackendKind::Azure);

    let flag = |flag| config(&["--backend", flag], &[]);
    let url = "1,priority=1,url=https://x.openai.azure.com";
    assert_eq!(kind(flag(url)), BackendKind::Azure);
    assert_eq!(kind(flag(&format!("{url},kind=other"))), BackendKind::Other);

    let directory = Directory::new();
    let text = format!("{POOL}kind = 'openai'\n");
    let loaded = load_with(&directory, &text, &[], &[]);
    assert_eq!(kind(loaded), BackendKind::OpenAi);
}

#[test]
fn wrong_kind_is_reported_at_its_place() {
    assert_problem_at(
        with_backend(&[], &[("BACKEND_1_KIND", "hunter2")]),
        "BACKEND_1_KIND",
        "azure, openai or other",
    );
    let text = format!("{POOL}kind = 'hunter2'\n");
    let error = load_with(&Directory::new(), &text, &[], &[]).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("pools[0].backends[0].kind: "), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn url_of_an_operation_with_a_query_is_refused_with_its_base() {
    let url = "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
    let variables = [("BACKEND_X_URL", url), ("BACKEND_X_PRIORITY", "1")];
    assert_eq!(
        problems(&[], &variables),
        [
            "BACKEND_X_URL: one operation, not the base of an API; expected https://x.openai.azure.com, \
             and gpt-4o as DEPLOYMENT_NAME (in a file deployment) if all requests are for it"
        ]
    );
    let text = POOL.replace("https://a.example", url);
    let error = load_with(&Directory::new(), &text, &[], &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected https://x.openai.azure.com,")
    );
}

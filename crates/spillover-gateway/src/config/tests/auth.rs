use super::{assert_problem_at, config, with_backend};
use crate::{
    config::{Config, ConfigError},
    runtime::CredentialSource,
};

fn source(config: Result<Config, ConfigError>) -> CredentialSource {
    config.unwrap().pools[0].backends[0].credential
}

/// Returns the name of the field with the key.
fn field(config: Result<Config, ConfigError>) -> String {
    let config = config.unwrap();
    let credential = config.backends()[0].credential().unwrap();
    credential.field().unwrap().0.to_string()
}

#[test]
fn key_of_openai_is_a_bearer_token_by_default() {
    let openai = |variables: &[(&str, &str)]| {
        let backend = [
            ("BACKEND_1_URL", "https://api.openai.com"),
            ("BACKEND_1_PRIORITY", "1"),
            ("BACKEND_1_APIKEY", "k"),
        ];
        config(&[], &[&backend, variables].concat())
    };
    assert_eq!(field(openai(&[])), "authorization");
    assert_eq!(field(openai(&[("BACKEND_1_KIND", "azure")])), "api-key");
    assert_eq!(field(openai(&[("BACKEND_1_AUTH", "key")])), "api-key");
    let declared = [("BACKEND_1_KIND", "openai"), ("BACKEND_1_APIKEY", "k")];
    assert_eq!(field(with_backend(&[], &declared)), "authorization");
}

#[test]
fn default_credential_is_the_key_or_else_entra() {
    let with_key = with_backend(&[], &[("BACKEND_1_APIKEY", "k")]);
    assert_eq!(source(with_key), CredentialSource::Backend);
    let without = with_backend(&[], &[]);
    assert_eq!(source(without.clone()), CredentialSource::Entra);
    // The backend has a credential of its own, and does not get the client's.
    let without = without.unwrap();
    let credential = without.backends()[0].credential();
    assert!(credential.is_some_and(|credential| credential.field().is_none()));
}

#[test]
fn auth_sets_the_credential() {
    for (auth, expected) in [
        (" Entra ", CredentialSource::Entra),
        ("PASSTHROUGH", CredentialSource::Client),
    ] {
        let config = with_backend(&[], &[("backend_1_auth", auth)]);
        assert_eq!(source(config), expected);
    }
    let variables = [("BACKEND_1_AUTH", "key"), ("BACKEND_1_APIKEY", "k")];
    let config = with_backend(&[], &variables);
    assert_eq!(source(config), CredentialSource::Backend);

    let variables = [("BACKEND_1_AUTH", "Bearer"), ("BACKEND_1_APIKEY", "k")];
    assert_eq!(field(with_backend(&[], &variables)), "authorization");

    let flag = [
        "--backend",
        "1,url=https://a.example,priority=1,auth=passthrough",
    ];
    assert_eq!(source(config_of(&flag)), CredentialSource::Client);
}

fn config_of(flags: &[&str]) -> Result<Config, ConfigError> {
    config(flags, &[])
}

#[test]
fn auth_and_key_must_agree() {
    assert_problem_at(
        with_backend(&[], &[("BACKEND_1_AUTH", "key")]),
        "BACKEND_1_APIKEY",
        "not set, but BACKEND_1_AUTH is key",
    );
    assert_problem_at(
        with_backend(&[], &[("BACKEND_1_AUTH", "bearer")]),
        "BACKEND_1_APIKEY",
        "not set, but BACKEND_1_AUTH is bearer",
    );
    for auth in ["entra", "passthrough"] {
        let variables = [("BACKEND_1_AUTH", auth), ("BACKEND_1_APIKEY", "k")];
        assert_problem_at(
            with_backend(&[], &variables),
            "BACKEND_1_APIKEY",
            "set, but BACKEND_1_AUTH is not key",
        );
    }
    assert_problem_at(
        with_backend(&[], &[("BACKEND_1_AUTH", "msi")]),
        "BACKEND_1_AUTH",
        "key, bearer, entra or passthrough",
    );
}

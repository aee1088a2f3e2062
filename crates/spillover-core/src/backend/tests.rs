use http::HeaderName;

use super::{Backend, BackendBuilder, Credential};

fn url(url: &str) -> Result<Backend, crate::InvalidBackend> {
    Backend::builder("b").url(url).build()
}

#[test]
fn url_is_split_into_authority_and_base_path() {
    let cases = [
        ("https://a.example", "a.example", ""),
        ("https://a.example/", "a.example", ""),
        ("http://127.0.0.1:8080/x/y", "127.0.0.1:8080", "/x/y"),
        ("https://a.example/x//", "a.example", "/x"),
        ("http://[::1]:9/", "[::1]:9", ""),
    ];
    for (given, authority, base_path) in cases {
        let backend = url(given).unwrap();
        assert_eq!(backend.authority().as_str(), authority, "{given}");
        assert_eq!(backend.host(), authority, "{given}");
        assert_eq!(backend.base_path(), base_path, "{given}");
        assert_eq!(backend.url(), given);
    }
}

#[test]
fn invalid_url_is_refused_and_the_error_does_not_repeat_it() {
    let cases = [
        "",
        "a.example",
        "/only/a/path",
        "ftp://a.example",
        "https://",
        "https://user:hunter2@a.example",
        "https://a.example/?key=hunter2",
        "https://a.example/#hunter2",
        "https://a.example:99999",
        "https://a.example:",
        "https://a b.example",
    ];
    for given in cases {
        let error = url(given).expect_err(given);
        assert_eq!(error.field(), "url", "{given}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn invalid_label_weight_deployment_or_concurrency_is_refused() {
    let good = || Backend::builder("b").url("https://a.example");
    let field = |builder: super::BackendBuilder| builder.build().expect_err("refused").field();

    assert_eq!(
        field(Backend::builder("").url("https://a.example")),
        "label"
    );
    assert_eq!(
        field(Backend::builder("a b").url("https://a.example")),
        "label"
    );
    assert_eq!(field(good().weight(0)), "weight");
    assert_eq!(field(good().max_concurrency(0)), "max_concurrency");
    let limited = good().max_concurrency(3).build().unwrap();
    assert_eq!(limited.max_concurrency().map(u32::from), Some(3));
    assert_eq!(good().build().unwrap().max_concurrency(), None);
    for deployment in ["", "a/b", "a b", "a?b", ".", "..", "é"] {
        assert_eq!(field(good().deployment(deployment)), "deployment");
    }
    assert!(good().deployment("gpt-4.1_nano~1").build().is_ok());
}

#[test]
fn credential_is_one_header_field_and_is_redacted_in_debug_output() {
    let key = Credential::api_key("hunter2").unwrap();
    let (name, value) = key.field().unwrap();
    assert_eq!(
        (name.as_str(), value.to_str().unwrap()),
        ("api-key", "hunter2")
    );

    let token = Credential::bearer("hunter2").unwrap();
    let (name, value) = token.field().unwrap();
    assert_eq!(
        (name.as_str(), value.to_str().unwrap()),
        ("authorization", "Bearer hunter2")
    );
    assert!(value.is_sensitive());

    assert!(Credential::by_layer().field().is_none());

    let backend = Backend::builder("b")
        .url("https://a.example")
        .credential(key);
    for printed in [
        format!("{token:?}"),
        format!("{backend:?}"),
        format!("{:?}", backend.build().unwrap()),
    ] {
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(printed.contains("[redacted]"), "{printed}");
    }
}

#[test]
fn credential_that_cannot_be_sent_is_refused() {
    let name = HeaderName::from_static("x-api-key");
    for secret in ["", "line\nbreak", "naïve"] {
        assert!(Credential::api_key(secret).is_err());
        assert!(Credential::bearer(secret).is_err());
        let error = Credential::header(name.clone(), secret).expect_err("refused");
        assert!(secret.is_empty() || !error.to_string().contains(secret));
    }
}

#[test]
fn model_of_a_backend_defaults_to_its_deployment() {
    let build = |backend: BackendBuilder| backend.url("https://b.example").build().unwrap();
    let backend = build(Backend::builder("b"));
    assert_eq!((backend.model(), backend.own_model()), (None, None));
    let backend = build(Backend::builder("b").deployment("d"));
    assert_eq!((backend.model(), backend.own_model()), (Some("d"), None));
    let backend = build(Backend::builder("b").deployment("d").model("org/m: 1"));
    assert_eq!(backend.model(), Some("org/m: 1"));
    assert_eq!(backend.own_model(), Some("org/m: 1"));
    assert_eq!(backend.deployment(), Some("d"));
    for model in ["", "a\nb"] {
        let backend = Backend::builder("b").url("https://b.example").model(model);
        assert_eq!(backend.build().unwrap_err().field(), "model");
    }
}

use std::fs;

use clap::Parser;
use proptest::{prelude::*, sample::select};
use spillover_core::BackendKind;

use super::{Imported, import};
use crate::{
    config::{Cli, Config},
    runtime::CredentialSource,
};

/// Written as API Management takes it: quotes and brackets in expressions stand for themselves.
const POLICY: &str = r#"<policies>
    <!-- @{ not an expression: { "url" } -->
    <inbound>
        <base />
        <cache-lookup-value key="@("listBackends-" + context.Api.Id)" variable-name="listBackends" />
        <choose>
            <when condition="@(context.Variables.ContainsKey("listBackends") == false)">
                <set-variable name="listBackends" value="@{
                    // "url": the backend's } and (
                    /* { "url", "https://comment.example" } */
                    JArray backends = new JArray();
                    backends.Add(new JObject()
                    {
                        { "url", "https://east.openai.azure.com/" },
                        { "priority", 1},
                        { "isThrottling", false },
                        { "retryAfter", DateTime.MinValue }
                    });
                    backends.Add(new JObject {
                        { "url", "https://west.openai.azure.com" }, { "priority", 2 }, { "api-key", "hunter2" },
                        { "deployment-name", "gpt-4o" }, { "weight", 3 },
                        { "acceptablePriorities", new JArray(1, 2) }
                    });
                    backends.Add(new JObject() { { "url", "https://east.example" }, { "auth", "none" }, { "apiKey", "" } });
                    backends.Add(new JObject() { { "url", "{{the-url}}" }, { "priority", 4 } });
                    return backends;
                }" />
            </when>
        </choose>
        <rate-limit calls="5" renewal-period="60" />
        <authentication-managed-identity resource="https://cognitiveservices.azure.com" output-token-variable-name="t" />
        <set-header name="Authorization" exists-action="override">
            <value>@("Bearer " + (string)context.Variables["t"])</value>
        </set-header>
    </inbound>
    <backend>
        <retry condition="@(context.Response != null && context.Response.StatusCode >= 500)" count="50" interval="0">
            <set-variable name="backendIndex" value="@{ List<int> a = new List<int>(); if (a.Count < 1 && true) { return 0; } return 1; }" />
            <forward-request buffer-request-body="true" timeout="120" />
        </retry>
    </backend>
    <outbound>
        <set-header name="x-openai-backendurl" exists-action="override">
            <value>@(context.Variables.GetValueOrDefault<string>("backendUrl", "none"))</value>
        </set-header>
    </outbound>
</policies>
"#;

/// Loads the configuration of a file, with a value for each variable that it names.
fn load(toml: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, toml).unwrap();
    let file = file.path().as_os_str();
    let cli = Cli::parse_from(["spillover".as_ref(), "--config".as_ref(), file]);
    let names = toml.split("env = \"").skip(1);
    let names = names.filter_map(|name| name.split('"').next());
    let config = Config::from(&cli, names.map(|name| (name.into(), "key".into())));
    config.unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

#[test]
fn kind_and_bearer_token_of_a_backend_are_taken_over() {
    let list = r#"backends.Add(new JObject() {
        { "url", "https://llm.example" }, { "priority", 1 }, { "kind", "openai" }, { "auth", "bearer" }, { "apiKey", "hunter2" }
    });"#;
    let policy = format!(
        "<policies><inbound><set-variable name='listBackends' value='@{{{list}}}' /></inbound></policies>"
    );
    let Imported { toml, .. } = import(&policy).unwrap();
    assert!(!toml.contains("hunter2"), "{toml}");
    let config = load(&toml);
    let backend = &config.pools[0].backends[0].backend;
    assert_eq!(backend.kind(), BackendKind::OpenAi);
    let (name, _) = backend.credential().unwrap().field().unwrap();
    assert_eq!(name, "authorization");
}

#[test]
fn policy_becomes_a_configuration() {
    let Imported { toml, notes } = import(POLICY).unwrap();
    let config = load(&toml);

    let backends: Vec<_> = config.pools[0]
        .backends
        .iter()
        .map(|config| {
            let backend = &config.backend;
            (
                backend.label(),
                backend.url(),
                backend.priority(),
                config.credential,
            )
        })
        .collect();
    assert_eq!(
        backends,
        [
            (
                "east",
                "https://east.openai.azure.com",
                1,
                CredentialSource::Entra
            ),
            (
                "east-2",
                "https://east.example",
                1,
                CredentialSource::Client
            ),
            (
                "west",
                "https://west.openai.azure.com",
                2,
                CredentialSource::Backend
            ),
        ]
    );
    let west = &config.pools[0].backends[2].backend;
    assert_eq!((west.deployment(), west.weight()), (Some("gpt-4o"), 3));
    assert!(config.pools[0].expose_backend_url);
    assert_eq!(config.pools[0].timeouts.response_head.as_secs(), 120);

    assert_eq!(
        notes,
        [
            "line 30: not taken over: <rate-limit>",
            "line 19: west: its key is not copied: set the variable KEY_OF_WEST to it",
            "line 19: west: not taken over: \"acceptablePriorities\"",
            "line 24: east-2: has no plain \"priority\", so it has that of the default, 1",
            "line 25: not taken over: a backend whose \"url\" is no plain URL",
        ]
    );
    for note in [
        "# line 30: not taken over: <rate-limit>",
        "# not taken over: \"acceptablePriorities\"",
    ] {
        assert!(toml.contains(note), "{toml}");
    }
    assert!(!toml.contains("hunter2") && !notes.concat().contains("hunter2"));
}

#[test]
fn escaped_policy_gives_the_same_configuration() {
    let plain = import(POLICY).unwrap();
    // Tools that know XML write the policy like this.
    let mut escaped = String::new();
    let mut rest = POLICY;
    while let Some(start) = rest.find("@{\n") {
        let end = start + rest[start..].find("}\" />").unwrap();
        escaped += &rest[..start];
        escaped += &rest[start..end].replace('"', "&quot;");
        rest = &rest[end..];
    }
    escaped += rest;
    let escaped = escaped
        .replace("@(\"listBackends-\" + context.Api.Id)", "x")
        .replace("(\"listBackends\")", "()")
        .replace("!= null && context.Response.StatusCode >= 500", "")
        .replace(
            "List<int> a = new List<int>(); if (a.Count < 1 && true) { return 0; }",
            "",
        )
        .replace("<string>(\"backendUrl\", \"none\")", "()");
    assert!(roxmltree::Document::parse(&escaped).is_ok());
    let escaped = import(&escaped).unwrap();
    assert_eq!((escaped.toml, escaped.notes), (plain.toml, plain.notes));
}

#[test]
fn credential_of_the_policy_is_that_of_its_backends() {
    let list = r#"<set-variable name="x" value="@{ return new JArray() { new JObject() { { "url", "http://a.example" }, { "priority", 1 } } }; }" />"#;
    let key = r#"<set-header name="api-key" exists-action="override"><value>{{key}}</value></set-header>"#;
    for (more, credential, notes) in [
        ("", CredentialSource::Client, 1),
        (key, CredentialSource::Backend, 1),
        (
            "<authentication-managed-identity resource='x' />",
            CredentialSource::Entra,
            0,
        ),
    ] {
        let imported = import(&format!(
            "<policies><inbound>{list}{more}</inbound></policies>"
        ))
        .unwrap();
        assert_eq!(
            load(&imported.toml).pools[0].backends[0].credential,
            credential
        );
        assert_eq!(imported.notes.len(), notes, "{:?}", imported.notes);
    }
}

#[test]
fn other_documents_are_refused_without_their_text() {
    for (xml, expected) in [
        ("", "no XML"),
        ("hunter2", "no XML"),
        ("<policies><inbound></policies>", "see line 1"),
        ("<policies />", "no list of backends"),
        (
            "<set-variable name='listBackends' value='@{ return null; }' />",
            "no list of backends",
        ),
    ] {
        let error = import(xml).unwrap_err();
        assert!(
            error.contains(expected) && !error.contains("hunter2"),
            "{error}"
        );
    }
    // A list without a plain URL is refused too.
    let xml = r#"<set-variable value="@{ new JObject() { { "url", 5 } } }" />"#;
    let error = import(xml).unwrap_err();
    assert!(error.contains("plain URL"), "{error}");
}

proptest! {
    #[test]
    fn no_policy_panics(
        cut in 0..POLICY.len(),
        with in select(vec!["", "\"", "{", "}", "@{", "@(", "<!--", "'", "//", "/*", "new JObject", "&", "\\", "é", "@\""]),
        length in 0..9_usize,
    ) {
        let end = (cut + length).min(POLICY.len());
        let policy = format!("{}{with}{}", &POLICY[..cut], &POLICY[end..]);
        if let Ok(imported) = import(&policy) {
            load(&imported.toml);
        }
    }
}

//! The output of each command, and the errors of a bad configuration.

use std::fs;

use spillover_tests::{
    e2e::{Authority, Exit, Files, GatewayBuilder, WireUpstream},
    gateway,
};

use super::file::{Golden, assert_golden, golden_text, mask};

/// Shows the exit code, standard output and standard error. The directory of the configuration shows as `<dir>`.
fn shown(exit: &Exit, files: &Files) -> String {
    let Exit { stdout, stderr, .. } = exit;
    let code = exit.code.expect("it exits by itself");
    let directory = files.path("").display().to_string();
    format!("exit code {code}\n{stdout}{stderr}").replace(&directory, "<dir>/")
}

/// Writes a configuration from `tests/golden`, and the files that it names.
fn files(name: &str) -> Files {
    let (files, authority) = (Files::new(), Authority::new());
    authority.issue("localhost").write(&files.path(""));
    let ca = fs::read_to_string(authority.file()).expect("the certificate of the authority");
    files.write("ca.pem", &ca);
    files.write("team-b", "s3cret-of-team-b\n");
    files.write("openai", "s3cret-of-openai\n");
    files.write(Files::CONFIG, &golden_text(name));
    files
}

async fn run_with_file(name: &str, args: &[&str]) -> String {
    let files = files(name);
    let path = files.path(Files::CONFIG).display().to_string();
    let gateway = gateway!()
        .without("LISTEN")
        .without("LOG_FORMAT")
        .env("PTU_KEY", "s3cret-of-ptu")
        .args(args.iter().copied().chain(["--config", &path]));
    let text = shown(&gateway.run().await, &files);
    assert!(!text.contains("s3cret"), "{text}");
    text
}

async fn run(gateway: GatewayBuilder) -> String {
    let text = shown(&gateway.run().await, &Files::new());
    assert!(!text.contains("s3cret"), "{text}");
    text
}

#[tokio::test]
async fn help_of_each_command_is_as_before() {
    let mut golden = Golden::new("help.txt");
    for args in [
        &["--help"][..],
        &["-h"],
        &["demo", "--help"],
        &["check", "--help"],
        &["import", "--help"],
        &["schema", "--help"],
        &["hash-key", "--help"],
        &["health", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let title = format!("spillover {}", args.join(" "));
        golden.add(&title, &run(gateway!().args(args.iter().copied())).await);
    }
    golden.assert();
}

#[tokio::test]
async fn manual_page_is_as_before() {
    let exit = gateway!().args(["man"]).run().await;
    assert_eq!((exit.code, &*exit.stderr), (Some(0), ""));
    let text = exit.stdout.replace(env!("CARGO_PKG_VERSION"), "<version>");
    assert_golden("spillover.1", &text);
}

/// The schema in the repository is the golden file.
#[tokio::test]
async fn schema_is_as_before() {
    let exit = gateway!().args(["schema"]).run().await;
    assert_eq!((exit.code, &*exit.stderr), (Some(0), ""));
    let schema = "../../crates/spillover-gateway/spillover.schema.json";
    assert_golden(schema, &exit.stdout);
}

#[test]
fn full_file_sets_every_key_of_the_reference() {
    let (reference, full) = (
        include_str!("../../../docs/configuration.md"),
        golden_text("full.toml"),
    );
    let (_, keys) = reference.split_once("\n## Keys\n").expect("the keys");
    let (keys, _) = keys.split_once("\n## Variables").expect("their end");
    let keys = keys.lines().filter_map(|line| line.strip_prefix("| `"));
    let keys: Vec<_> = keys
        .filter_map(|key| Some(key.split_once('`')?.0))
        .collect();
    assert!(keys.len() > 60, "{keys:?}");
    let is_name = |key: &&str| {
        key.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    for key in keys.into_iter().filter(is_name) {
        let is_set = [format!("{key} ="), format!("{key}]")];
        assert!(
            is_set.iter().any(|set| full.contains(set)),
            "{key} is not set"
        );
    }
}

#[tokio::test]
async fn check_prints_the_configuration_as_before() {
    let mut golden = Golden::new("check.txt");
    golden.add("full file", &run_with_file("full.toml", &["check"]).await);
    let smallest = gateway!().env("BACKEND_1_APIKEY", "s3cret");
    let smallest = smallest.env("BACKEND_1_URL", "https://name.openai.azure.com");
    let smallest = smallest.env("BACKEND_1_PRIORITY", "1").args(["check"]);
    golden.add("one backend by variables", &run(smallest).await);
    let all = gateway!().without("LISTEN").args(["check"]).envs([
        ("PORT", "8080"),
        ("ADMIN_LISTEN", "127.0.0.1:9090"),
        ("HTTP_TIMEOUT_SECONDS", "60"),
        ("WHEN_EXHAUSTED", "wait:2s"),
        ("EXPOSE_BACKEND_URL", "true"),
        ("LOG_FORMAT", "text"),
        (
            "CLIENT_KEYS",
            "team-a:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
        (
            "BACKEND_PTU_URL",
            "https://ptu.openai.azure.com/openai/deployments/d/chat/completions",
        ),
        ("BACKEND_PTU_PRIORITY", "1"),
        ("BACKEND_PTU_APIKEY", "s3cret-of-ptu"),
        ("BACKEND_PTU_DEPLOYMENT_NAME", "gpt-4o"),
        ("BACKEND_PTU_PROTOCOL", "http1"),
        ("BACKEND_OPENAI_URL", "https://llm.example.com"),
        ("BACKEND_OPENAI_PRIORITY", "2"),
        ("BACKEND_OPENAI_APIKEY", "s3cret-of-openai"),
        ("BACKEND_OPENAI_KIND", "openai"),
        ("BACKEND_OWN_URL", "https://api.anthropic.com"),
        ("BACKEND_OWN_PRIORITY", "3"),
        ("BACKEND_OWN_AUTH", "passthrough"),
        ("BACKEND_SWEDEN_URL", "https://sweden.openai.azure.com"),
        ("BACKEND_SWEDEN_PRIORITY", "3"),
        ("BACKEND_SERVICE_HOST", "10.0.0.1"),
    ]);
    golden.add(
        "every variable, two warnings and one variable that is ignored",
        &run(all).await,
    );
    golden.assert();
}

#[tokio::test]
async fn bad_configuration_is_refused_as_before() {
    let mut golden = Golden::new("bad_configuration.txt");
    for name in ["bad_types.toml", "bad_values.toml"] {
        let at_start = run_with_file(name, &[]).await;
        assert_eq!(at_start, run_with_file(name, &["check"]).await);
        golden.add(name, &at_start);
    }
    golden.add("nothing is set", &run(gateway!()).await);
    let variables = gateway!()
        .args([
            "--backend",
            "flag,url=https://a.example,priority=1,apikey=s3cret",
        ])
        .envs([
            ("HTTP_TIMEOUT_SECONDS", "soon"),
            ("WHEN_EXHAUSTED", "wait"),
            ("EXPOSE_BACKEND_URL", "perhaps"),
            ("LISTEN", "8080"),
            ("ADMIN_LISTEN", "s3cret"),
            ("LOG_FORMAT", "yaml"),
            ("RUST_LOG", "info,=s3cret"),
            ("CLIENT_KEYS", "team-a:s3cret,team-a"),
            ("BACKEND_1_URL", "ftp://s3cret"),
            ("BACKEND_1_PRIORITY", "high"),
            ("BACKEND_1_DEPLOYMENT_NAME", "a/b"),
            ("BACKEND_1_KIND", "aws"),
            ("BACKEND_1_PROTOCOL", "http3"),
            ("BACKEND_1_AUTH", "s3cret"),
            ("BACKEND_1_API_KEY", "s3cret"),
            ("BACKEND_2_PRIORITY", "2"),
            (
                "BACKEND_3_URL",
                "https://name.openai.azure.com?api-version=1",
            ),
            ("BACKEND_3_AUTH", "key"),
            ("BACKEND_4_URL", "https://a.example"),
            ("backend_4_url", "https://a.example"),
        ]);
    golden.add("variables", &run(variables).await);
    let files = Files::new();
    let path = files.path(Files::CONFIG).display().to_string();
    for (title, text) in [
        ("no TOML", "[[pools]\n"),
        (
            "a certificate that is none",
            "[[listeners]]\ntls = { certificate = \"spillover.toml\", key = \"spillover.toml\" }\n\
            [[pools]]\n[[pools.backends]]\nname = \"a\"\nurl = \"https://a.example\"\ncredential = \"passthrough\"\n",
        ),
    ] {
        files.write(Files::CONFIG, text);
        golden.add(
            title,
            &shown(
                &gateway!().args(["check", "--config", &path]).run().await,
                &files,
            ),
        );
    }
    let quiet = || {
        gateway!()
            .env("RUST_LOG", "off")
            .backend("only", 1, "http://127.0.0.1:9")
    };
    let identity = gateway!()
        .env("RUST_LOG", "off")
        .env("BACKEND_only_AUTH", "entra")
        .env("AZURE_CLIENT_SECRET", "s3cret");
    let identity = identity.backend("only", 1, "https://name.openai.azure.com");
    golden.add("half an identity", &run(identity).await);
    let taken = WireUpstream::bind().await;
    let taken = run(quiet().env("LISTEN", taken.url().replace("http://", ""))).await;
    golden.add("an address that is taken", &mask(&taken, &["127.0.0.1:"]));
    golden.add(
        "a file that is not there",
        &run(gateway!().args(["--config", "/not/there.toml"])).await,
    );
    golden.add(
        "an unknown flag",
        &run(gateway!().args(["--priority", "1"])).await,
    );
    golden.assert();
}

#[tokio::test]
async fn policy_is_imported_as_before() {
    let policy = r#"<policies><inbound><set-variable name="listBackends" value="@{
        JArray backends = new JArray();
        backends.Add(new JObject() { { "url", "https://east.openai.azure.com/" }, { "priority", 1 }, { "weight", 2 }, { "api-key", "s3cret" } });
        backends.Add(new JObject() { { "url", "https://west.openai.azure.com/" }, { "priority", 2 }, { "deployment-name", "gpt" } });
        return backends; }" /><quota calls="1" /></inbound></policies>"#;
    let files = Files::new();
    files.write("policy.xml", policy);
    let path = files.path("policy.xml").display().to_string();
    let exit = gateway!().args(["import", &path]).run().await;
    assert_golden("import.txt", &shown(&exit, &files));
}

#[tokio::test]
async fn health_of_a_gateway_is_told_as_before() {
    let mut golden = Golden::new("health.txt");
    let gateway = gateway!().backend("only", 1, "http://127.0.0.1:9");
    let gateway = gateway.start().await;
    for address in [gateway.address().to_string(), "127.0.0.1:9".to_owned()] {
        let health = gateway!().args(["health", &address]);
        golden.add(
            "spillover health",
            &mask(&run(health).await, &["127.0.0.1:"]),
        );
    }
    golden.assert();
}

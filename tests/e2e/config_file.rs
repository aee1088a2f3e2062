//! Settings by a file, and the commands for files.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{Exit, behaving, healthy},
    gateway,
};

/// Writes a file for the test of this name.
fn file(test: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::write(&path, text).expect("a directory to write to");
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn backend(name: &str, priority: u32, url: &str) -> String {
    format!(
        "[[pools.backends]]\nname = {name:?}\nurl = {url:?}\npriority = {priority}\ncredential = {{ api_key = {{ env = \
         \"KEY\" }} }}\n"
    )
}

async fn run<const N: usize>(args: [&str; N]) -> Exit {
    gateway!().args(args).run().await
}

#[tokio::test]
async fn file_is_served() {
    let (full, open) = (behaving(Behavior::status(429)).await, healthy().await);
    let text = format!(
        "[[pools]]\nexpose_backend_url = true\n{}{}",
        backend("first", 1, &full.url()),
        backend("second", 2, &open.url())
    );
    let path = file("served.toml", &text);
    for by_flag in [true, false] {
        let gateway = gateway!()
            .env("KEY", "s3cret-value")
            .env("BACKEND_OLD_URL", "ignored");
        let gateway = if by_flag {
            gateway.args(["--config", &path])
        } else {
            gateway.env("SPILLOVER_CONFIG", &path)
        };
        let gateway = gateway.start().await;
        let answer = gateway.get("/v1/models").await;
        assert_eq!((answer.status, answer.backend()), (200, "second"));
        assert_eq!(answer.header("x-openai-backendurl"), Some(&*open.url()));
        let ignored = gateway
            .wait_for_line(|line| line["variable"] == "BACKEND_OLD_URL")
            .await;
        assert_eq!(
            ignored["message"],
            "ignored: the backends are those of the file"
        );
        let exit = gateway.stop().await;
        assert!(!exit.stderr.contains("s3cret-value"), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn bad_file_is_refused_with_all_errors() {
    let text = "[[pools]]\nnme = \"s3cret-value\"\n".to_owned() + &backend("a", 1, "s3cret-value");
    let path = file("bad.toml", &text);
    for args in [&["--config", &path][..], &["check", "--config", &path]] {
        let exit = gateway!().args(args.iter().copied()).run().await;
        assert_eq!((exit.code, &*exit.stdout), (Some(2), ""), "{exit:?}");
        let problems: Vec<_> = exit.stderr.lines().skip(1).map(str::trim).collect();
        assert_eq!(problems.len(), 3, "{problems:#?}");
        for (problem, expected) in problems.iter().zip([
            ":2: pools[0].nme: an unknown key; did you mean name?",
            ":5: pools[0].backends[0].url: expected an absolute URL",
            ":7: pools[0].backends[0].credential.api_key.env: the variable KEY is not set",
        ]) {
            let problem = problem.strip_prefix(&path).expect("the name of the file");
            assert!(problem.starts_with(expected), "{problem}");
        }
        assert!(!exit.stderr.contains("s3cret-value"), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn missing_file_is_reported() {
    let exit = run(["--config", "/not/there.toml"]).await;
    assert_eq!(exit.code, Some(2));
    assert!(
        exit.stderr.contains("--config: the file cannot be read"),
        "{}",
        exit.stderr
    );
}

#[tokio::test]
async fn invalid_certificates_are_refused_by_check_and_at_the_start() {
    let none = file("none.pem", "no certificate");
    let pool = "[[pools]]\n".to_owned() + &backend("a", 1, "https://a.example");
    let tls = format!("[[listeners]]\ntls = {{ certificate = {none:?}, key = {none:?} }}\n");
    for (name, text) in [
        ("ca.toml", format!("{pool}ca = {none:?}\n")),
        ("tls.toml", tls + &pool),
    ] {
        let path = file(name, &text);
        for args in [&["--config", &path][..], &["check", "--config", &path]] {
            let exit = gateway!()
                .env("KEY", "k")
                .args(args.iter().copied())
                .run()
                .await;
            assert_eq!((exit.code, &*exit.stdout), (Some(2), ""), "{exit:?}");
            let expected = format!("{none}: expected certificates in PEM format");
            assert!(exit.stderr.contains(&expected), "{exit:?}");
        }
    }
}

#[tokio::test]
async fn check_prints_the_effective_configuration() {
    let text = "[[pools]]\n".to_owned() + &backend("a", 7, "https://a.example");
    let path = file(
        "check.toml",
        &text.replace("{ env = \"KEY\" }", "\"s3cret-value\""),
    );
    let exit = run(["check", "--config", &path]).await;
    assert_eq!((exit.code, &*exit.stderr), (Some(0), ""));
    for part in [
        "address = \"127.0.0.1:0\"",
        "response_head = \"1m40s\"",
        "priority = 7",
        "\"[redacted]\"",
    ] {
        assert!(
            exit.stdout.contains(part),
            "{part} is not in {}",
            exit.stdout
        );
    }
    assert!(!exit.stdout.contains("s3cret-value"), "{}", exit.stdout);
}

#[tokio::test]
async fn policy_is_imported() {
    let policy = r#"<policies><inbound><set-variable name="listBackends" value="@{
        JArray backends = new JArray();
        backends.Add(new JObject() { { "url", "https://east.openai.azure.com/" }, { "priority", 1 }, { "api-key", "s3cret-value" } });
        return backends; }" /><quota calls="1" /></inbound></policies>"#;
    let path = file("policy.xml", policy);
    let output = file("imported.toml", "");

    let refused = run(["import", &path, "--output", &output]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    fs::remove_file(&output).expect("it is there");

    let imported = run(["import", &path, "--output", &output]).await;
    assert_eq!(
        (imported.code, &*imported.stdout),
        (Some(0), ""),
        "{imported:?}"
    );
    for note in [
        "line 4: not taken over: <quota>",
        "set the variable KEY_OF_EAST",
    ] {
        assert!(imported.stderr.contains(note), "{}", imported.stderr);
    }
    let check = gateway!()
        .env("KEY_OF_EAST", "key")
        .args(["check", "--config", &output])
        .run()
        .await;
    assert_eq!(check.code, Some(0), "{check:?}");
    let text = fs::read_to_string(&output).expect("it was written");
    assert!(!(text + &imported.stderr).contains("s3cret-value"));

    let printed = run(["import", &path]).await;
    assert!(
        printed.stdout.contains("https://east.openai.azure.com"),
        "{printed:?}"
    );
    let missing = run(["import", "/not/there.xml"]).await;
    assert_eq!(missing.code, Some(1));
}

#[tokio::test]
async fn completions_manual_and_schema_are_printed() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let exit = run(["completions", shell]).await;
        assert_eq!((exit.code, &*exit.stderr), (Some(0), ""), "{shell}");
        assert!(exit.stdout.contains("hash-key"), "{shell}: {}", exit.stdout);
    }
    let exit = run(["completions", "tcsh"]).await;
    assert_eq!(exit.code, Some(2));

    let exit = run(["man"]).await;
    assert_eq!(exit.code, Some(0));
    assert!(exit.stdout.contains(".TH spillover 1"), "{}", exit.stdout);
    assert!(exit.stdout.contains("SPILLOVER_CONFIG"), "{}", exit.stdout);

    let exit = run(["schema"]).await;
    let schema: serde_json::Value = serde_json::from_str(&exit.stdout).expect("JSON");
    assert_eq!(schema["title"], "Spillover");
}

#[tokio::test]
async fn keys_are_hashed_and_made() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_spillover-under-test"))
        .arg("hash-key")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"test\r\n").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    // printf %s test | sha256sum
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), digest);

    let (one, other) = (
        run(["hash-key", "--generate"]).await,
        run(["hash-key", "--generate"]).await,
    );
    assert!(
        one.stdout.starts_with("key    = sk-") && one.stdout.contains("\nsha256 = "),
        "{one:?}"
    );
    assert_ne!(one.stdout, other.stdout);
    let nothing = run(["hash-key"]).await;
    assert_eq!((nothing.code, &*nothing.stdout), (Some(1), ""));
}

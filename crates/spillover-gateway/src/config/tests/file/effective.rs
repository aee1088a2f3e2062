use clap::Parser;

use super::{POOL, load_with, read};
use crate::{
    config::{Cli, Config, tests::directory::Directory},
    read_files::ReadFiles,
};

fn effective(directory: &Directory, text: &str, variables: &[(&str, &str)]) -> String {
    let (config, document) = read(directory, text, &[], variables).unwrap();
    document.print(&config)
}

#[test]
fn the_effective_configuration_has_every_default() {
    let printed = effective(&Directory::new(), POOL, &[("BACKEND_1_URL", "x")]);
    assert_eq!(
        printed,
        r#"# Ignored: BACKEND_1_URL

log_format = "auto"

[[listeners]]
address = "127.0.0.1:8080"

[connections]
max = 10000
head_timeout = "15s"
idle_timeout = "10m"
body_timeout = "1m"
write_timeout = "1m"
head_size = "64KiB"
head_fields = 100

[shutdown]
delay = "0s"
deadline = "25s"

[clients]
cors = []

[[pools]]
name = "default"
when_exhausted = "forward"
expose_backend_url = false

[pools.timeouts]
connect = "5s"
response_head = "1m40s"
first_event = "5s"
first_token = "off"
idle = "5m"
retry_deadline = "off"
total = "off"

[pools.limits]
body = "off"
replay = "32MiB"
replay_total = "1GiB"
max_attempts = "off"

[pools.cooldown]
default = "10s"
cap = "1m"
quota_default = "5m"
quota_cap = "24h"
jitter = 0.0

[pools.statuses]

[[pools.backends]]
name = "a"
url = "https://a.example"
kind = "other"
priority = 1
weight = 1
credential = "entra"
max_concurrency = "off"
protocol = "auto"
"#
    );
}

#[test]
fn what_was_printed_can_be_read_and_prints_the_same() {
    let directory = Directory::new();
    for name in ["cert.pem", "key"] {
        directory.write(name, "x");
    }
    let text = format!(
        r#"
        listeners = [{{ tls = {{ certificate = "cert.pem", key = "key", client_ca = "cert.pem" }} }}]
        admin.address = "localhost:1"
        clients.keys = [{{ name = "a", secret = {{ file = "key" }}, requests_per_minute = 5 }}]
        {POOL}
        model = "it's \"quoted\" \\ é"
        request_headers = {{ set = {{ x-a = {{ env = "A" }} }}, remove = ["x-b"] }}
        [[pools.backends]]
        name = "b"
        url = "http://b.example"
        credential = {{ header = {{ name = "x", value = {{ env = "A" }} }} }}
        "#
    );
    let text = text.replace("[[pools]]", "[[pools]]\nwhen_exhausted = 'wait:90s'\nlimits.body = 1025\naffinity.keys = [{ body = 'a' }]\nroutes = [{ host = 'x' }]\ntimeouts.connect = '1500us'\nstatuses.404 = 'too_large'");
    let variables = [("A", "hunter2")];
    let printed = effective(&directory, &text, &variables);
    assert!(
        printed.contains("client_certificate = \"required\""),
        "{printed}"
    );
    assert!(
        printed.contains("when_exhausted = \"wait:1m30s\""),
        "{printed}"
    );
    assert!(printed.contains("body = \"1025B\""), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
    assert_eq!(effective(&directory, &printed, &variables), printed);
}

#[test]
fn secrets_of_the_file_are_redacted_and_refused_as_such() {
    let directory = Directory::new();
    let text = POOL.replace("\"entra\"", "{ bearer = 'hunter2' }")
        + "response_headers.set.x-a = 'hunter2'\n";
    let printed = effective(&directory, &text, &[]);
    assert!(printed.contains("bearer = \"[redacted]\""), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
    let error = load_with(&directory, &printed, &[], &[]).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
}

#[test]
fn the_environment_prints_as_a_file_too() {
    let cli = Cli::parse_from(["spillover", "check", "--listen", "127.0.0.1:9"]);
    let variables = [
        ("BACKEND_1_URL", "https://a.example"),
        ("BACKEND_1_PRIORITY", "1"),
        ("BACKEND_1_APIKEY", "hunter2"),
        ("BACKEND_2_URL", "https://b.example"),
        ("BACKEND_2_PRIORITY", "2"),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let (config, document) =
        Config::with_document(&cli, variables, &mut ReadFiles::default()).unwrap();
    let printed = document.print(&config);
    assert!(printed.contains("address = \"127.0.0.1:9\""), "{printed}");
    assert!(printed.contains("api_key = \"[redacted]\""), "{printed}");
    assert!(printed.contains("credential = \"entra\""), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

use std::time::Duration;

use crate::{Container, read};

/// Returns the values of a key that may occur more than once.
fn values(key: &str) -> Vec<String> {
    let unit = read("deploy/systemd/spillover.service");
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn gateway_accepts_the_configuration_and_fits_the_limits() {
    let mut container = Container::default();
    for variable in values("Environment") {
        let (name, value) = variable.split_once('=').unwrap();
        container.env.insert(name.to_owned(), value.to_owned());
    }
    // https://systemd.io/CREDENTIALS/
    for credential in values("LoadCredential") {
        let (name, _) = credential.split_once(':').unwrap();
        let path = format!("/run/credentials/spillover.service/{name}");
        container.files.insert(path, "key".into());
    }
    container.files.insert(
        "/etc/spillover/spillover.toml".into(),
        read("deploy/systemd/spillover.toml"),
    );
    let taken = container.check().await;
    assert_eq!(
        [&*taken.address, &*taken.admin],
        ["127.0.0.1:8080", "127.0.0.1:9090"]
    );
    let killed_after = values("TimeoutStopSec")[0].parse().unwrap();
    taken.assert_stops_before(Duration::from_secs(killed_after));
}

#[test]
fn unit_runs_as_a_dynamic_user() {
    assert_eq!(values("DynamicUser"), ["yes"]);
    assert_eq!(values("NoNewPrivileges"), ["yes"]);
    assert_eq!(values("CapabilityBoundingSet"), [""]);
}

#[test]
fn unit_sends_the_signals_of_the_gateway() {
    assert_eq!(values("ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    assert!(values("KillSignal").is_empty(), "SIGTERM");
    assert_eq!(
        values("RestartPreventExitStatus"),
        ["2"],
        "a bad configuration"
    );
}

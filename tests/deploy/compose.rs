use std::time::Duration;

use serde_json::Value;

use crate::{Container, Taken, plain::Plain, read, yaml::yaml};

const FILE: &str = "deploy/compose/compose.yaml";

fn service() -> Value {
    yaml(FILE)["services"]["spillover"].take()
}

async fn taken() -> Taken {
    let (compose, mut container) = (yaml(FILE), Container::default());
    let service = &compose["services"]["spillover"];
    for (name, value) in service["environment"].map() {
        let value = value.text();
        container.env.insert(name.clone(), value.to_owned());
    }
    for secret in service["secrets"].list() {
        let name = secret.text();
        assert!(compose["secrets"][name]["file"].is_string(), "{name}");
        container
            .files
            .insert(format!("/run/secrets/{name}"), "key".into());
    }
    assert_eq!(service["volumes"][0], "./config:/etc/spillover:ro");
    container.files.insert(
        "/etc/spillover/spillover.toml".into(),
        read("deploy/compose/config/spillover.toml"),
    );
    container.check().await
}

#[tokio::test]
async fn gateway_accepts_the_configuration_and_fits_the_limits() {
    let (service, taken) = (service(), taken().await);
    let (port, admin) = (taken.port(), taken.admin_port());
    let ports = [port, admin].map(|port| Value::from(format!("127.0.0.1:{port}:{port}")));
    assert_eq!(service["ports"], Value::from(ports.to_vec()));
    let test = &service["healthcheck"]["test"];
    assert_eq!(test[3], format!("127.0.0.1:{admin}"));

    let grace = service["stop_grace_period"].text();
    let grace = humantime::parse_duration(grace).unwrap();
    taken.assert_stops_before(grace);
    let memory = service["mem_limit"].text();
    let memory: u64 = memory.strip_suffix('m').unwrap().parse().unwrap();
    taken.assert_fits(memory << 20);
}

#[test]
fn healthcheck_runs_a_program_of_the_image() {
    let dockerfile = read("Dockerfile");
    let test = service()["healthcheck"]["test"].take();
    let program = test[1].text();
    assert_eq!(test[0], "CMD", "there is no shell");
    assert!(
        dockerfile.contains(&format!("ENTRYPOINT [\"{program}\"]")),
        "{program}"
    );
    assert_eq!(test[2], "health");
    let limit = humantime::parse_duration(service()["healthcheck"]["timeout"].text());
    assert!(
        limit.unwrap() > Duration::from_secs(5),
        "it gives up by itself"
    );
}

#[test]
fn container_has_least_privileges() {
    let service = service();
    assert!(!service["user"].text().starts_with('0'));
    assert_eq!(service["read_only"], true);
    assert_eq!(service["cap_drop"][0], "ALL");
    assert_eq!(service["security_opt"][0], "no-new-privileges:true");
}

#[test]
fn keys_are_not_committed() {
    assert!(read("deploy/compose/secrets/.gitignore").starts_with("*\n"));
}

use std::time::Duration;

use serde_json::Value;

use crate::{Container, Taken, health::paths_that_answer, plain::Plain, read};

fn template() -> Value {
    serde_json::from_str(&read("deploy/container-apps/template.json")).expect("JSON")
}

fn app() -> Value {
    let template = template();
    let mut resources = template["resources"].list().iter();
    let app = resources.find(|resource| resource["type"] == "Microsoft.App/containerApps");
    app.expect("there is one")["properties"].clone()
}

async fn taken() -> Taken {
    let (app, mut container) = (app(), Container::default());
    let gateway = &app["template"]["containers"][0];
    for variable in gateway["env"].list() {
        let [name, value] = ["name", "value"].map(|key| variable[key].text().to_owned());
        container.env.insert(name, value);
    }
    let (volume, mount) = (&app["template"]["volumes"][0], &gateway["volumeMounts"][0]);
    assert_eq!(volume["name"], mount["volumeName"]);
    let directory = mount["mountPath"].text();
    for file in volume["secrets"].list() {
        let secrets = app["configuration"]["secrets"].list();
        let secret = secrets
            .iter()
            .find(|secret| secret["name"] == file["secretRef"]);
        let text = match secret.expect("a secret of the app")["value"].as_str() {
            Some("[parameters('configuration')]") => read("deploy/container-apps/spillover.toml"),
            _ => "key".to_owned(),
        };
        let path = file["path"].text();
        container.files.insert(format!("{directory}/{path}"), text);
    }
    container.check().await
}

#[tokio::test]
async fn gateway_accepts_the_configuration_and_fits_the_limits() {
    let (app, taken) = (app(), taken().await);
    let gateway = &app["template"]["containers"][0];
    assert_eq!(app["configuration"]["ingress"]["targetPort"], taken.port());
    let grace = &app["template"]["terminationGracePeriodSeconds"];
    taken.assert_stops_before(Duration::from_secs(grace.number()));
    let memory = gateway["resources"]["memory"].text();
    let memory: u64 = memory.strip_suffix("Gi").unwrap().parse().unwrap();
    taken.assert_fits(memory << 30);
}

#[tokio::test]
async fn probed_paths_answer() {
    let (app, taken) = (app(), taken().await);
    let probes = app["template"]["containers"][0]["probes"].list();
    for probe in probes {
        assert_eq!(probe["httpGet"]["port"], taken.admin_port());
        // https://learn.microsoft.com/azure/container-apps/health-probes
        assert!(probe["failureThreshold"].number() <= 10);
    }
    let paths = probes.iter().map(|probe| probe["httpGet"]["path"].text());
    paths_that_answer(paths).await;
}

#[test]
fn every_parameter_is_used_and_defined() {
    let (template, text) = (template(), read("deploy/container-apps/template.json"));
    let parameters = template["parameters"].map();
    let used: Vec<_> = text
        .split("parameters('")
        .skip(1)
        .map(|rest| rest.split('\'').next().unwrap())
        .collect();
    for name in &used {
        assert!(parameters.contains_key(*name), "{name}");
    }
    for name in parameters.keys() {
        assert!(used.contains(&&**name), "{name}");
    }
    assert_eq!(parameters["openaiKey"]["type"], "securestring");
}

use std::{fs, time::Duration};

use serde_json::Value;

use crate::{Container, Taken, health::paths_that_answer, plain::Plain, repository, yaml::yaml};

fn manifest(name: &str) -> Value {
    yaml(&format!("deploy/kubernetes/{name}.yaml"))
}

fn pod() -> Value {
    manifest("deployment")["spec"]["template"].take()
}

async fn taken() -> Taken {
    let (pod, mut container) = (pod(), Container::default());
    let gateway = &pod["spec"]["containers"][0];
    for variable in gateway["env"].list() {
        let [name, value] = ["name", "value"].map(|key| variable[key].text().to_owned());
        container.env.insert(name, value);
    }
    let (config, secret) = (manifest("config-map"), manifest("secret.example"));
    for mount in gateway["volumeMounts"].list() {
        assert!(mount["subPath"].is_null(), "it would not change any more");
        let mut volumes = pod["spec"]["volumes"].list().iter();
        let volume = volumes.find(|volume| volume["name"] == mount["name"]);
        let volume = volume.expect("each mount has a volume");
        let (name, files) = if volume["configMap"].is_object() {
            assert_eq!(volume["configMap"]["name"], config["metadata"]["name"]);
            ("config", &config["data"])
        } else {
            assert_eq!(volume["secret"]["secretName"], secret["metadata"]["name"]);
            ("keys", &secret["stringData"])
        };
        assert_eq!(volume["name"], name);
        let directory = mount["mountPath"].text();
        for (file, text) in files.map() {
            let text = text.text().to_owned();
            container.files.insert(format!("{directory}/{file}"), text);
        }
    }
    container.check().await
}

#[tokio::test]
async fn gateway_accepts_the_configuration_and_fits_the_limits() {
    let (pod, taken) = (pod(), taken().await);
    let gateway = &pod["spec"]["containers"][0];
    for (name, port) in [("http", taken.port()), ("admin", taken.admin_port())] {
        let mut ports = gateway["ports"].list().iter();
        assert!(
            ports.any(|of| of["name"] == name && of["containerPort"] == port),
            "{name}"
        );
    }
    let annotated = &pod["metadata"]["annotations"]["prometheus.io/port"];
    assert_eq!(*annotated, taken.admin_port().to_string());
    let service = manifest("service");
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");

    let grace = &pod["spec"]["terminationGracePeriodSeconds"];
    taken.assert_stops_before(Duration::from_secs(grace.number()));
    let memory = gateway["resources"]["limits"]["memory"].text();
    let memory: u64 = memory.strip_suffix("Mi").unwrap().parse().unwrap();
    taken.assert_fits(memory << 20);
}

#[tokio::test]
async fn probed_and_scraped_paths_answer() {
    let pod = pod();
    let gateway = &pod["spec"]["containers"][0];
    let mut paths = vec![pod["metadata"]["annotations"]["prometheus.io/path"].clone()];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let get = &gateway[probe]["httpGet"];
        assert_eq!(get["port"], "admin", "{probe}");
        paths.push(get["path"].clone());
    }
    paths_that_answer(paths.iter().map(|path| path.text())).await;
}

#[test]
fn pods_satisfy_the_restricted_profile() {
    // https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    let pod = pod();
    let (whole, gateway) = (&pod["spec"], &pod["spec"]["containers"][0]);
    assert_eq!(whole["securityContext"]["runAsNonRoot"], true);
    assert_ne!(whole["securityContext"]["runAsUser"], 0);
    let profile = &whole["securityContext"]["seccompProfile"]["type"];
    assert_eq!(profile, "RuntimeDefault");
    let context = &gateway["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["capabilities"]["drop"][0], "ALL");
    assert_eq!(context["readOnlyRootFilesystem"], true);
}

#[test]
fn rollout_keeps_one_pod_available() {
    let deployment = manifest("deployment");
    let update = &deployment["spec"]["strategy"]["rollingUpdate"];
    assert_eq!(update["maxUnavailable"], 0);
    let replicas = deployment["spec"]["replicas"].number();
    let least = manifest("pod-disruption-budget")["spec"]["minAvailable"].number();
    assert!(least < replicas, "no node could be drained");
}

#[test]
fn all_selectors_match_the_pods() {
    let labels = &pod()["metadata"]["labels"];
    for (name, at) in [
        ("deployment", "/spec/selector/matchLabels"),
        ("network-policy", "/spec/podSelector/matchLabels"),
        ("pod-disruption-budget", "/spec/selector/matchLabels"),
        ("service", "/spec/selector"),
    ] {
        let manifest = manifest(name);
        let selector = manifest.pointer(at).and_then(Value::as_object).unwrap();
        assert!(!selector.is_empty());
        for (label, value) in selector {
            assert_eq!(labels[label], *value, "{name}");
        }
    }
    let account = &manifest("service-account")["metadata"];
    assert_eq!(pod()["spec"]["serviceAccountName"], account["name"]);
}

#[test]
fn kustomization_lists_everything_but_the_example() {
    let resources = manifest("kustomization")["resources"].take();
    let resources: Vec<_> = resources.list().to_vec();
    let files = fs::read_dir(repository().join("deploy/kubernetes")).unwrap();
    let mut files: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|file| !["kustomization.yaml", "secret.example.yaml"].contains(&&**file))
        .collect();
    files.sort_unstable();
    assert_eq!(resources, files);
}

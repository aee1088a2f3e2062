use serde_json::Value;

use crate::{manifest, plain::Plain, read, repository};

const GATEWAY: &str = "crates/spillover-gateway";

fn deb() -> Value {
    manifest(&format!("{GATEWAY}/Cargo.toml"))["package"]["metadata"]["deb"].take()
}

fn wheel() -> Value {
    manifest("deploy/wheel/pyproject.toml")
}

/// Asserts that a path of the gateway's manifest exists, or is made by the build script.
fn assert_available(path: &str) {
    let build = read("deploy/deb/build");
    match path.split_once("target/release/") {
        Some((_, "spillover" | "deb/")) => {}
        Some((_, generated)) => {
            let name = generated.strip_prefix("deb/").expect(path);
            let made = build.contains(&format!(">\"$files/{name}\""));
            let copied = build.contains(&format!("/{name} \"$files\""));
            assert!(made || copied, "deploy/deb/build does not make {path}");
        }
        None => assert!(repository().join(GATEWAY).join(path).exists(), "{path}"),
    }
}

#[test]
fn files_of_the_debian_package_exist_or_are_generated() {
    let deb = deb();
    for asset in deb["assets"].list() {
        assert_available(asset[0].text());
    }
    for key in ["license-file", "changelog", "maintainer-scripts"] {
        assert_available(deb[key].text());
    }
    let units = &deb["systemd-units"];
    let unit = units["unit-name"].text();
    assert_available(&format!("{}{unit}.service", units["unit-scripts"].text()));
}

#[test]
fn debian_package_installs_the_configuration_that_the_unit_names() {
    let deb = deb();
    let unit = read("deploy/systemd/spillover.service");
    for path in deb["conf-files"].list() {
        assert!(
            unit.lines()
                .any(|line| line == format!("Environment=SPILLOVER_CONFIG={}", path.text())),
            "{path}"
        );
        let (folder, name) = path.text()[1..].rsplit_once('/').unwrap();
        let mut assets = deb["assets"].list().iter();
        assert!(
            assets.any(|asset| asset[0].text().ends_with(name)
                && asset[1].text().trim_end_matches('/') == folder),
            "{path}"
        );
    }
}

#[test]
fn service_of_the_debian_package_is_not_started_before_it_is_configured() {
    let units = deb()["systemd-units"].take();
    assert_eq!(
        (&units["enable"], &units["start"]),
        (&false.into(), &false.into())
    );
}

#[test]
fn wheel_has_the_crate_and_the_features_of_the_debian_package() {
    let maturin = wheel()["tool"]["maturin"].take();
    let crate_manifest = repository()
        .join("deploy/wheel")
        .join(maturin["manifest-path"].text());
    let gateway = repository().join(GATEWAY).join("Cargo.toml");
    assert_eq!(
        crate_manifest.canonicalize().unwrap(),
        gateway.canonicalize().unwrap()
    );
    for feature in maturin["features"].list() {
        let flag = format!(" --features {}\n", feature.text());
        assert!(read("deploy/deb/build").contains(&flag), "{feature}");
    }
}

#[test]
fn packages_carry_the_licences_of_the_crate() {
    let wheel = wheel();
    let workspace = manifest("Cargo.toml");
    assert_eq!(
        wheel["project"]["license"],
        workspace["workspace"]["package"]["license"]
    );
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        assert_eq!(
            read(&format!("deploy/wheel/{name}")),
            read(&format!("{GATEWAY}/{name}"))
        );
    }
    // Debian's format indents the text and has a dot for an empty line.
    let copyright = read("deploy/deb/copyright");
    let mit = read(&format!("{GATEWAY}/LICENSE-MIT"));
    let (notice, terms) = mit.split_once("\n\nPermission").unwrap();
    let holder = notice.rsplit("(c) ").next().unwrap();
    assert!(copyright.contains(&format!("Copyright: {holder}\n")));
    for line in format!("Permission{terms}").lines() {
        let line = if line.is_empty() { "." } else { line };
        assert!(copyright.contains(&format!("\n {line}\n")), "{line}");
    }
}

#[test]
fn test_of_the_wheel_uses_the_pinned_build_tool() {
    let requires = wheel()["build-system"]["requires"].take();
    for tool in requires.list() {
        assert!(tool.text().contains("=="), "{tool}");
        assert!(read("deploy/wheel/test").contains(tool.text()), "{tool}");
    }
}

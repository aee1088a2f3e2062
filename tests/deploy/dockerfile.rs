use crate::{manifest, plain::Plain, read, repository};

/// Returns the paths that are copied from the repository.
fn copied() -> Vec<String> {
    let dockerfile = read("Dockerfile");
    let copies = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "));
    let copies = copies.filter(|copy| !copy.starts_with("--from="));
    let sources = copies.flat_map(|copy| {
        let mut paths: Vec<_> = copy.split(' ').collect();
        paths.pop();
        paths
    });
    sources.map(str::to_owned).collect()
}

#[test]
fn copied_paths_exist_and_are_in_the_build_context() {
    let context = read(".dockerignore");
    for path in copied() {
        assert!(repository().join(&path).exists(), "{path}");
        assert!(
            context.lines().any(|line| line == format!("!{path}")),
            "{path}"
        );
    }
}

#[test]
fn every_workspace_member_is_copied() {
    let workspace = manifest("Cargo.toml");
    for member in workspace["workspace"]["members"].list() {
        let directory = member.text().split('/').next().unwrap();
        assert!(copied().iter().any(|path| path == directory), "{member}");
    }
}

#[test]
fn compiler_is_new_enough_for_the_gateway() {
    let (dockerfile, gateway) = (
        read("Dockerfile"),
        manifest("crates/spillover-gateway/Cargo.toml"),
    );
    let package = gateway["package"]["name"].text();
    assert!(dockerfile.contains(&format!("--package {package} ")));
    assert!(dockerfile.contains(" --features mimalloc "));
    assert!(gateway["features"]["mimalloc"].is_array());
    let program = gateway["bin"][0]["name"].text();
    assert!(dockerfile.contains(&format!("/release/{program}\" /{program}")));

    let least = manifest("Cargo.toml")["workspace"]["package"]["rust-version"].take();
    let line = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("ARG RUST_VERSION="));
    let version = line.expect("a version of Rust");
    assert!(minor(version) >= minor(least.text()), "{version} < {least}");
}

#[test]
fn image_runs_as_a_numeric_user() {
    let dockerfile = read("Dockerfile");
    let mut users = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("USER "));
    let (user, group) = users.next_back().unwrap().split_once(':').unwrap();
    for id in [user, group] {
        assert!(id.parse::<u32>().expect("a number") > 0, "{id}");
    }
}

fn minor(version: &str) -> u32 {
    let minor = version.strip_prefix("1.").expect("Rust 1");
    minor.parse().expect("a number")
}

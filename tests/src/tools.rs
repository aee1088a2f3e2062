//! The real programs that tests run: servers, SDKs and curl. `tests/run` installs them.

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Returns the path of nginx: the one that `tests/run` has unpacked, else an installed one.
///
/// # Panics
///
/// Panics like [`curl`] if the program is missing.
pub fn nginx() -> Option<PathBuf> {
    let unpacked = folder().join("nginx/usr/sbin/nginx");
    found("nginx", existing(unpacked).or_else(|| installed("nginx")))
}

/// Returns the path of Node.js. Scripts find the packages of `tests/sdk/package.json` when they run in
/// [`node_folder`].
///
/// # Panics
///
/// Panics like [`curl`] if the program or a package is missing.
pub fn node() -> Option<PathBuf> {
    let has_packages = node_folder().join("node_modules").is_dir();
    found("node", installed("node").filter(|_| has_packages))
}

/// Returns the folder whose `node_modules` holds the SDKs.
pub fn node_folder() -> PathBuf {
    folder().join("node")
}

/// Returns the path of a Python that has the packages of `tests/sdk/requirements.txt`.
///
/// # Panics
///
/// Panics like [`curl`] if the program is missing.
pub fn python() -> Option<PathBuf> {
    found("python", existing(folder().join("python/bin/python")))
}

/// Returns the path of curl. If it is missing, prints the name of the skipped test and returns `None`.
///
/// # Panics
///
/// Panics instead of returning `None` if `SPILLOVER_TEST_TOOLS` is `required`, as `tests/run` sets it on Debian.
pub fn curl() -> Option<PathBuf> {
    found("curl", installed("curl"))
}

fn found(name: &str, program: Option<PathBuf>) -> Option<PathBuf> {
    if program.is_none() {
        let is_required = env::var("SPILLOVER_TEST_TOOLS").is_ok_and(|value| value == "required");
        assert!(!is_required, "{name} is missing: run tests/run");
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        // The test harness shows the output of `eprintln!` for failed tests only.
        let told = writeln!(
            io::stderr(),
            "SKIPPED {test}: {name} is missing; tests/run installs it on Debian and Ubuntu"
        );
        told.expect("stderr is open");
    }
    program
}

fn installed(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    // Debian installs servers outside of users' PATH.
    let folders = env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find_map(existing)
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.is_file().then_some(path)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-tools")
}

//! A process with an environment of its own: `azure_identity` reads that of the process.

use std::{
    env, io,
    process::{Output, Stdio},
};

use tokio::{
    process::Command,
    runtime,
    time::{sleep, timeout},
};
use tower_spillover::select::ThreadDraw;
use tracing::Level;

use super::fake::seconds;
use crate::entra::{Identity, SCOPE, Tokens};

/// What the first token is, or why there is none, in a process with this environment and no other. It logs at every level:
/// the secret of the endpoint must not be among it.
pub(super) async fn first_token(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(seconds(60), command.output()).await;
    let Output { stdout, stderr, .. } = output.expect("it ends").unwrap();
    let said = String::from_utf8(stdout).unwrap();
    let line = said.lines().find_map(|line| line.split_once(MARK));
    let errors = String::from_utf8_lossy(&stderr);
    for (name, value) in variables {
        let is_secret = *name == "IDENTITY_HEADER";
        assert!(!(is_secret && errors.contains(value)), "{errors}");
    }
    line.unwrap_or_else(|| panic!("{said}{errors}"))
        .1
        .to_owned()
}

#[test]
#[ignore = "the other process: it acts on its environment"]
fn child() {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    log.with_max_level(Level::TRACE).init();
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let said = runtime.unwrap().block_on(async {
        let identity = Identity::find(|name| env::var(name).ok()).unwrap();
        let tokens = Tokens::start(identity.source(SCOPE).unwrap(), ThreadDraw::default());
        let patience = env::var(PATIENCE).map_or(1, |failures| failures.parse().unwrap());
        loop {
            let status = tokens.status();
            if let Ok(bearer) = tokens.bearer() {
                return bearer.to_str().unwrap().to_owned();
            }
            if let Some(error) = status.last_error
                && status.failures >= patience
            {
                return error.to_string();
            }
            sleep(seconds(1) / 100).await;
        }
    });
    println!("{MARK}{said}");
}

/// After how many failures the other process gives up.
pub(super) const PATIENCE: &str = "PATIENCE_OF_THE_TEST";

const CHILD: &str = "entra::tests::machine::child";
const MARK: &str = "it is: ";

//! Prints the first token of Entra ID for its environment, or the reason why there is none. A separate process, because
//! the identity depends on environment variables.
//!
//! Logs at every level, so that a test can check that the log holds no secret. Gives up after [`PATIENCE`] failures.

use std::{env, io};

use spillover_gateway::entra::{Identity, SCOPE, Tokens};
use spillover_tests::entra::PATIENCE;
use tokio::time::{Duration, sleep};
use tower_spillover::select::ThreadDraw;
use tracing::Level;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    log.with_max_level(Level::TRACE).init();
    println!("{}", first_token().await);
}

async fn first_token() -> String {
    let identity = Identity::find(|name| env::var(name).ok()).expect("a whole identity");
    let source = identity.source(SCOPE).expect("root certificates");
    let tokens = Tokens::start(source, ThreadDraw::default());
    let patience = env::var(PATIENCE).map_or(1, |failures| failures.parse().expect("a number"));
    loop {
        let status = tokens.status();
        if let Ok(bearer) = tokens.bearer() {
            return bearer.to_str().expect("text").to_owned();
        }
        if let Some(error) = status.last_error
            && status.failures >= patience
        {
            return error.to_string();
        }
        sleep(Duration::from_millis(10)).await;
    }
}

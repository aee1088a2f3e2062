//! A gateway whose configuration changes.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::{Answer, Gateway, soon};

/// Returns a pool of backends, each described by a line.
pub fn pool(backends: &[String]) -> String {
    let admin = "[admin]\naddress = \"127.0.0.1:0\"\n";
    format!("{admin}[[pools]]\n{}", backends.concat())
}

/// Returns a backend that gets the client's credentials.
pub fn backend(name: &str, priority: u32, url: &str) -> String {
    backend_with(name, priority, url, "credential = \"passthrough\"")
}

/// Returns a backend with `more` lines, e.g. its credential.
pub fn backend_with(name: &str, priority: u32, url: &str, more: &str) -> String {
    format!("[[pools.backends]]\nname = {name:?}\nurl = {url:?}\npriority = {priority}\n{more}\n")
}

/// Sends a request that any backend may serve.
pub async fn ask(gateway: &Gateway) -> Answer {
    gateway.post("/v1/chat/completions", "{}").await
}

/// Returns `/status` of the admin listener.
pub async fn status(gateway: &Gateway) -> Value {
    let admin = gateway.admin().await;
    admin.get("/status").await.json()
}

/// Waits until the configuration with this generation is active.
pub async fn in_service(gateway: &Gateway, generation: u64) {
    gateway
        .wait_for_line(|line| line["generation"] == generation)
        .await;
}

/// Waits until this many configurations were refused.
pub async fn refused(gateway: &Gateway, count: usize) -> Vec<Value> {
    let is_refusal = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("configuration refused")
    };
    soon(async {
        loop {
            let mut lines = gateway.lines();
            lines.retain(is_refusal);
            if lines.len() >= count {
                break lines;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

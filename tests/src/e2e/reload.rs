//! A gateway whose configuration changes.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::{Answer, Gateway, soon};

/// One pool of backends, which are described each by a line.
pub fn pool(backends: &[String]) -> String {
    let admin = "[admin]\naddress = \"127.0.0.1:0\"\n";
    format!("{admin}[[pools]]\n{}", backends.concat())
}

/// A backend of a pool that gets the credentials of the client.
pub fn backend(name: &str, priority: u32, url: &str) -> String {
    backend_with(name, priority, url, "credential = \"passthrough\"")
}

/// A backend with all that is to be said of its credential, and more.
pub fn backend_with(name: &str, priority: u32, url: &str, more: &str) -> String {
    format!("[[pools.backends]]\nname = {name:?}\nurl = {url:?}\npriority = {priority}\n{more}\n")
}

/// Sends a request, for any backend.
pub async fn ask(gateway: &Gateway) -> Answer {
    gateway.post("/v1/chat/completions", "{}").await
}

/// What the admin listener says.
pub async fn status(gateway: &Gateway) -> Value {
    let admin = gateway.admin().await;
    admin.get("/status").await.json()
}

/// Waits until it goes by its configuration of this number.
pub async fn in_service(gateway: &Gateway, generation: u64) {
    gateway
        .wait_for_line(|line| line["generation"] == generation)
        .await;
}

/// Waits until it has refused so many.
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

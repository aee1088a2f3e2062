//! The lines of the log that the documentation names, in JSON: those of start, reload and stop.

use rustix::process::Signal;
use serde_json::Value;
use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{
        ASK, Authority, Exit, Files, Gateway, Wire, backend, behaving, pool, reload::refused, soon,
    },
    gateway,
};

use super::file::{Golden, mask};

pub(super) const CHAT: &str = "/v1/chat/completions";

/// The texts in front of ports, times and other values that differ between runs.
const VOLATILE: [&str; 8] = [
    "127.0.0.1:",
    "0.0.0.0:",
    "\"duration_ms\":",
    "\"bound_ms\":",
    "\"silent_ms\":",
    "\"valid_for_s\":",
    "\"refresh_in_s\":",
    "\"retry_in_ms\":",
];

/// The lines at level `debug` that the documentation names.
const DEBUG: [&str; 5] = [
    "attempt not processed",
    "attempt given up",
    "waiting for a backend",
    "a client has stopped reading: connection closed",
    "TLS handshake",
];

/// The lines of each start and stop, which one scenario shows.
pub(super) const FRAME: [&str; 5] = [
    "backend",
    "listening",
    "admin",
    "stopping: no new connections, finishing the requests under way",
    "stopped",
];

/// Returns the lines of the log of which `wanted` holds, without their times. Lines at level `debug` that the documentation does
/// not name are left out.
pub(super) fn lines(exit: &Exit, wanted: impl Fn(&str) -> bool) -> String {
    let is_wanted = |line: &&str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let message = line["message"].as_str().expect("a message");
        let is_debug = ["DEBUG", "TRACE"].contains(&line["level"].as_str().expect("a level"));
        wanted(message) && (!is_debug || DEBUG.contains(&message))
    };
    let lines = exit.stderr.lines().filter(is_wanted).map(|line| {
        let (time, line) = line.split_once("\",").expect("a field after the time");
        assert!(time.starts_with("{\"timestamp\":\""), "{time}");
        format!("{{{line}")
    });
    mask(&lines.collect::<Vec<_>>().join("\n"), &VOLATILE)
}

/// Sorts lines whose order is not promised.
pub(super) fn sorted(lines: &str) -> String {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Stops the gateway, and adds what it logged between start and stop.
pub(super) async fn add(golden: &mut Golden, title: &str, gateway: Gateway) {
    let exit = gateway.stop().await;
    golden.add(title, &lines(&exit, |message| !FRAME.contains(&message)));
}

/// Waits for a line with this message.
pub(super) async fn message(gateway: &Gateway, message: &str) -> Value {
    gateway
        .wait_for_line(|line| line["message"] == message)
        .await
}

#[tokio::test]
async fn start_and_stop_are_logged_as_before() {
    let mut golden = Golden::new("log_start_and_stop.jsonl");
    let (files, authority) = (Files::new(), Authority::new());
    authority.issue("localhost").write(&files.path(""));
    let text = "shutdown.delay = \"50ms\"\nadmin.address = \"127.0.0.1:0\"\n\
        [[listeners]]\naddress = \"127.0.0.1:0\"\n\
        [[listeners]]\naddress = \"0.0.0.0:0\"\n\
        [[listeners]]\naddress = \"127.0.0.1:0\"\ntls = { certificate = \"cert.pem\", key = \"key.pem\" }\n"
        .to_owned()
        + &pool("default", "")
        + &backend("passthrough", "https://name.openai.azure.com/openai/deployments/d/chat/completions", "")
        + &backend("own", "https://api.openai.com", "deployment = \"gpt\"").replace("\"passthrough\"", "{ bearer = \"s3cret\" }")
        + &backend("other", "https://api.anthropic.com", "priority = 2");
    let gateway = gateway!()
        .without("LISTEN")
        .env("BACKEND_OLD_URL", "s3cret")
        .config_beside(files, &text);
    let gateway = gateway.start().await;
    gateway
        .wait_for_line(|line| line["message"] == "admin")
        .await;
    let directory = gateway.files().path("").display().to_string();
    let exit = gateway.stop().await;
    golden.add(
        "start and stop",
        &lines(&exit, |_| true).replace(&directory, "<dir>/"),
    );

    let gateway = gateway!()
        .backend("only", 1, "http://127.0.0.1:9")
        .env("BACKEND_SERVICE_HOST", "10.0.0.1");
    let exit = gateway.start().await.stop().await;
    golden.add("one backend by variables", &lines(&exit, |_| true));

    let stalled = behaving(Behavior::stall()).await;
    let text = "shutdown.deadline = \"100ms\"\n".to_owned()
        + &pool("default", "")
        + &backend("a", &stalled.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(ASK).await;
    soon(stalled.handle().wait_for(|stats| stats.received == 1)).await;
    let exit = gateway.stop().await;
    golden.add(
        "a request is cut off",
        &lines(&exit, |message| message.starts_with("stop")),
    );
    golden.assert();
}

#[tokio::test]
async fn reload_is_logged_as_before() {
    let mut golden = Golden::new("log_reload.jsonl");
    let text = pool("only", "") + &backend("only", "http://127.0.0.1:9", "");
    let gateway = gateway!().config(&text).start().await;
    let changed = "connections.max = 9\nshutdown.delay = \"1s\"\n".to_owned()
        + &text.replace("\"only\"", "\"other\"");
    gateway.files().write(Files::CONFIG, &changed);
    gateway.wait_for_line(|line| line["generation"] == 2).await;
    gateway
        .files()
        .write(Files::CONFIG, &changed.replace("url", "ulr"));
    refused(&gateway, 1).await;
    gateway.signal(Signal::HUP);
    refused(&gateway, 2).await;
    let directory = gateway.files().path("").display().to_string();
    let exit = gateway.stop().await;
    let text = lines(&exit, |message| {
        !["listening", "stopped"].contains(&message) && !message.starts_with("stopping")
    });
    golden.add("reload", &text.replace(&directory, "<dir>/"));
    golden.assert();
}

//! Checks `spillover health` and the paths that probes request.

use std::net::SocketAddr;

use serde_json::Value;
use spillover_tests::{
    e2e::{Client, Exit, Gateway, RefusingPort, healthy},
    gateway,
};

/// Requests each path from a gateway's admin port.
pub(crate) async fn paths_that_answer<'a>(paths: impl IntoIterator<Item = &'a str>) {
    let backend = healthy().await;
    let gateway = gateway!().backend("only", 1, backend.url());
    let gateway = gateway.env("ADMIN_LISTEN", "127.0.0.1:0").start().await;
    let client = Client::http1(admin(&gateway).await);
    for path in paths {
        assert_eq!(client.get(path).await.status, 200, "{path}");
    }
}

async fn admin(gateway: &Gateway) -> SocketAddr {
    let line = gateway
        .wait_for_line(|line| line["message"] == "admin")
        .await;
    let address = line["address"].as_str().expect("an address");
    address.parse().expect("an address")
}

async fn health(args: &[&str]) -> Exit {
    let args = ["health"].iter().chain(args).copied();
    gateway!().without("LISTEN").args(args).run().await
}

#[tokio::test]
async fn running_gateway_is_healthy_and_ready() {
    let backend = healthy().await;
    let gateway = gateway!().backend("only", 1, backend.url());
    let gateway = gateway.env("ADMIN_LISTEN", "127.0.0.1:0").start().await;
    let admin = admin(&gateway).await.to_string();
    let clients = gateway.address().to_string();
    for (args, said) in [
        (&[&*admin][..], "ok\n"),
        (&[&*admin, "--ready"], "ready\n"),
        (&[&*clients, "--ready"], "ready\n"),
    ] {
        let exit = health(args).await;
        assert_eq!(
            (exit.code, &*exit.stdout, &*exit.stderr),
            (Some(0), said, "")
        );
    }
}

#[tokio::test]
async fn gateway_without_a_backend_is_healthy_but_not_ready() {
    let nobody = RefusingPort::bind();
    let gateway = gateway!().backend("only", 1, nobody.url()).start().await;
    gateway.get("/v1/models").await;
    let address = gateway.address().to_string();
    assert_eq!(health(&[&address]).await.code, Some(0));
    let exit = health(&[&address, "--ready"]).await;
    assert_eq!(exit.code, Some(1));
    assert!(
        exit.stderr.contains("no backend of the pool default"),
        "{}",
        exit.stderr
    );
}

#[tokio::test]
async fn health_fails_without_a_listener() {
    let nobody = RefusingPort::bind().url().replace("http://", "");
    let exit = health(&[&nobody]).await;
    assert_eq!((exit.code, &*exit.stdout), (Some(1), ""));
    assert!(exit.stderr.contains(&nobody), "{}", exit.stderr);
    let exit = health(&["8080"]).await;
    assert_eq!(exit.code, Some(1));
}

#[tokio::test]
async fn schema_and_manual_can_be_installed() {
    let run = async |args: &[&str]| {
        let exit = gateway!().args(args.iter().copied()).run().await;
        assert_eq!((exit.code, &*exit.stderr), (Some(0), ""), "{args:?}");
        exit.stdout
    };
    assert!(run(&["man"]).await.contains(".TH spillover 1"));
    for shell in ["bash", "fish", "zsh"] {
        assert!(run(&["completions", shell]).await.contains("spillover"));
    }
    let schema: Value = serde_json::from_str(&run(&["schema"]).await).unwrap();
    assert_eq!(schema["title"], "Spillover");
}

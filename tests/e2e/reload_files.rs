//! The files of the configuration change in all the ways in which files do.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command, time::Duration};

use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{
        Files, behaving, healthy,
        reload::{ask, backend, backend_with, in_service, pool, refused, status},
        soon,
    },
    gateway,
};
use tokio::time::sleep;

#[tokio::test]
async fn secret_that_comes_after_the_file_that_names_it_is_seen() {
    let upstream = healthy().await;
    let gateway = gateway!().config(&pool(&[backend("a", 1, &upstream.url())]));
    let gateway = gateway.start().await;
    let more = "credential = { api_key = { file = \"keys/of-b\" } }";
    let text = pool(&[backend_with("b", 1, &upstream.url(), more)]);
    gateway.files().write(Files::CONFIG, &text);
    refused(&gateway, 1).await;
    // Neither file exists yet.
    fs::create_dir(gateway.files().path("keys")).unwrap();
    gateway.files().write("keys/of-b", "key");
    in_service(&gateway, 2).await;
    assert_eq!(ask(&gateway).await.backend(), "b");
}

/// Updates files as the kubelet updates the volume of a `ConfigMap` or a secret: by another directory and one replaced
/// link to it.
fn publish(mount: &Path, number: u32, files: &[(&str, &str)]) {
    let directory = format!("..{number}");
    fs::create_dir(mount.join(&directory)).unwrap();
    for (name, text) in files {
        fs::write(mount.join(&directory).join(name), text).unwrap();
        // Existing links stay.
        let _ = symlink(Path::new("..data").join(name), mount.join(name));
    }
    symlink(&directory, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    if let Some(before) = number.checked_sub(1) {
        let _ = fs::remove_dir_all(mount.join(format!("..{before}")));
    }
}

#[tokio::test]
async fn volumes_of_kubernetes_are_seen_to_change() {
    let upstream = healthy().await;
    let files = Files::new();
    let (config, keys) = (files.path("config"), files.path("keys"));
    fs::create_dir(&config).unwrap();
    fs::create_dir(&keys).unwrap();
    let key = keys.join("key");
    let more = format!("credential = {{ api_key = {{ file = {key:?} }} }}");
    let text = |name| pool(&[backend_with(name, 1, &upstream.url(), &more)]);
    publish(&keys, 1, &[("key", "one")]);
    publish(&config, 1, &[("spillover.toml", &text("a"))]);
    // A link, as in an image that needs its file in another place.
    symlink(config.join("spillover.toml"), files.path("link.toml")).unwrap();
    let path = files.path("link.toml");
    let gateway = gateway!().env("SPILLOVER_CONFIG", path).start().await;
    let used = async || {
        let answer = ask(&gateway).await;
        let request = upstream.handle().last_request().unwrap();
        let key = request.headers["api-key"].to_str().unwrap().to_owned();
        (answer.backend().to_owned(), key)
    };
    assert_eq!(used().await, ("a".into(), "one".into()));
    publish(&config, 2, &[("spillover.toml", &text("b"))]);
    in_service(&gateway, 2).await;
    assert_eq!(used().await, ("b".into(), "one".into()));
    publish(&keys, 2, &[("key", "two")]);
    in_service(&gateway, 3).await;
    assert_eq!(used().await, ("b".into(), "two".into()));
    // The same content in another directory is no change; the next one is noticed.
    publish(&keys, 3, &[("key", "two")]);
    sleep(Duration::from_millis(600)).await;
    publish(&keys, 4, &[("key", "three")]);
    in_service(&gateway, 4).await;
    assert_eq!(used().await, ("b".into(), "three".into()));
}

#[tokio::test]
async fn link_to_a_directory_is_exchanged() {
    let upstream = healthy().await;
    let files = Files::new();
    for (release, name) in [("one", "a"), ("two", "b"), ("three", "c")] {
        fs::create_dir(files.path(release)).unwrap();
        let text = pool(&[backend(name, 1, &upstream.url())]);
        fs::write(files.path(release).join("spillover.toml"), text).unwrap();
    }
    let link = |release| {
        symlink(release, files.path("new")).unwrap();
        fs::rename(files.path("new"), files.path("current")).unwrap();
    };
    link("one");
    let path = files.path("current/spillover.toml");
    let gateway = gateway!().env("SPILLOVER_CONFIG", path).start().await;
    for (number, release, name) in [(2, "two", "b"), (3, "three", "c")] {
        link(release);
        in_service(&gateway, number).await;
        assert_eq!(ask(&gateway).await.backend(), name);
    }
}

#[tokio::test]
async fn files_that_go_and_come_back_are_no_change_and_still_watched() {
    let upstream = healthy().await;
    let files = Files::new();
    let directory = files.path("etc");
    let write = |name: &str| {
        fs::create_dir_all(&directory).unwrap();
        let text = pool(&[backend(name, 1, &upstream.url())]);
        fs::write(directory.join("spillover.toml"), text).unwrap();
    };
    write("a");
    let path = directory.join("spillover.toml");
    let gateway = gateway!().env("SPILLOVER_CONFIG", path).start().await;
    fs::remove_dir_all(&directory).unwrap();
    write("a");
    sleep(Duration::from_millis(600)).await;
    assert_eq!(status(&gateway).await["configuration"]["generation"], 1);
    write("b");
    in_service(&gateway, 2).await;
    // This time for longer.
    fs::remove_dir_all(&directory).unwrap();
    refused(&gateway, 1).await;
    assert_eq!(ask(&gateway).await.backend(), "b");
    write("c");
    in_service(&gateway, 3).await;
    assert_eq!(ask(&gateway).await.backend(), "c");
}

#[tokio::test]
async fn relative_path_is_watched() {
    let upstream = healthy().await;
    let files = Files::new();
    let text = |name| pool(&[backend(name, 1, &upstream.url())]);
    files.write(Files::CONFIG, &text("a"));
    let here = std::env::current_dir().unwrap();
    let up = here.components().count() - 1;
    let path = files.path(Files::CONFIG);
    let path = format!("{}{}", "../".repeat(up), &path.to_str().unwrap()[1..]);
    let gateway = gateway!().args(["--config", &path]).start().await;
    files.write(Files::CONFIG, &text("b"));
    in_service(&gateway, 2).await;
    assert_eq!(ask(&gateway).await.backend(), "b");
}

#[tokio::test]
async fn change_while_the_gateway_starts_is_seen() {
    // The start waits for a first token, which does not come.
    let identity = behaving(Behavior::stall()).await;
    let (upstream, files) = (healthy().await, Files::new());
    let b = backend("b", 1, &upstream.url());
    let a = backend_with("a", 1, &upstream.url(), "credential = \"entra\"");
    files.write(Files::CONFIG, &pool(&[a]));
    let gateway = gateway!()
        .env("SPILLOVER_CONFIG", files.path(Files::CONFIG))
        .env("IDENTITY_ENDPOINT", identity.url())
        .env("IDENTITY_HEADER", "header");
    let change = async {
        soon(identity.handle().wait_for(|stats| stats.received == 1)).await;
        files.write(Files::CONFIG, &pool(&[b]));
    };
    let (gateway, ()) = tokio::join!(gateway.start(), change);
    in_service(&gateway, 2).await;
    assert_eq!(ask(&gateway).await.backend(), "b");
    let status = status(&gateway).await;
    assert!(status.get("entra").is_none(), "{status}");
}

#[tokio::test]
async fn unwritten_pipe_does_not_block_requests() {
    let upstream = healthy().await;
    let text = pool(&[backend("a", 1, &upstream.url())]);
    let gateway = gateway!().config(&text).start().await;
    let pipe = gateway.files().path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let more = format!("credential = {{ api_key = {{ file = {pipe:?} }} }}");
    let text = pool(&[backend_with("b", 1, &upstream.url(), &more)]);
    gateway.files().write(Files::CONFIG, &text);
    gateway
        .wait_for_line(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("the files of the configuration cannot be read")
        })
        .await;
    assert_eq!(ask(&gateway).await.backend(), "a");
    let exit = gateway.stop().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

use std::{num::NonZeroU32, time::Duration};

use spillover_proxy::{cors::AllowedOrigins, upstream::Protocol};
use spillover_serve::{Connections, ListenAddr, Listener, Shutdown};

use super::{POOL, assert_problem, files_for, load, load_with, with_backend};
use crate::{
    config::{LogFormat, tests::directory::Directory},
    runtime::Clients,
};

#[test]
fn all_tables_but_pools_have_defaults() {
    let config = load(POOL).unwrap();
    assert_eq!(config.listeners, [Listener::default()]);
    assert_eq!(config.admin, None);
    assert_eq!(config.log_format, LogFormat::Auto);
    assert_eq!(config.clients, Clients::default());
    assert_eq!(config.connections, Connections::default());
    assert_eq!(config.shutdown, Shutdown::default());
    assert!(config.ignored.is_empty());
}

#[test]
fn listeners_and_their_tls_files_are_read() {
    let directory = Directory::new();
    for file in ["cert.pem", "key.pem", "ca.pem"] {
        directory.write(file, "");
    }
    let text = format!(
        r#"
        listeners = [
            {{ address = "[::]:8443", tls = {{ certificate = "cert.pem", key = "key.pem", client_ca = "ca.pem" }} }},
            {{ address = "localhost:8444", tls = {{ certificate = "cert.pem", key = "{}/key.pem" }} }},
            {{ address = "0.0.0.0:0" }},
            {{ address = "0.0.0.0:0" }},
        ]
        admin = {{ address = "127.0.0.1:9090" }}
        {POOL}"#,
        directory.path().display()
    );
    let config = load_with(&directory, &text, &[], &[]).unwrap();

    let addresses: Vec<_> = config
        .listeners
        .iter()
        .map(|l| l.address.as_str())
        .collect();
    assert_eq!(
        addresses,
        ["[::]:8443", "localhost:8444", "0.0.0.0:0", "0.0.0.0:0"]
    );
    assert_eq!(
        config.admin,
        Some(ListenAddr::parse("127.0.0.1:9090").unwrap())
    );
    let file = |name| directory.path().join(name);
    let tls = config.listeners[0].tls.as_ref().unwrap();
    assert_eq!(
        (&tls.certificate, &tls.key),
        (&file("cert.pem"), &file("key.pem"))
    );
    let client = tls.client.as_ref().unwrap();
    assert_eq!((&client.ca, client.is_required), (&file("ca.pem"), true));
    assert_eq!(config.listeners[1].tls.as_ref().unwrap().client, None);
    let files = files_for(&directory, &text);
    for name in ["spillover.toml", "cert.pem", "key.pem", "ca.pem"] {
        assert!(files.contains(&file(name)), "{name} is watched");
    }
}

#[test]
fn connections_and_shutdown_are_read() {
    let text = r#"
        log_format = "json"
        [connections]
        max = 7
        head_timeout = "1s"
        idle_timeout = "2m"
        body_timeout = "1500ms"
        write_timeout = "1h 30m"
        head_size = 65_537
        head_fields = 9
        [shutdown]
        delay = "5s"
        deadline = "0s"
    "#;
    let config = load(&format!("{text}{POOL}")).unwrap();
    assert_eq!(config.log_format, LogFormat::Json);
    let expected = Connections {
        max: 7,
        head_timeout: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(120),
        body_timeout: Duration::from_millis(1_500),
        write_timeout: Duration::from_secs(5_400),
        head_bytes: 65_537,
        head_fields: 9,
    };
    assert_eq!(config.connections, expected);
    assert_eq!(config.shutdown.delay, Duration::from_secs(5));
    assert_eq!(config.shutdown.deadline, Duration::ZERO);
}

#[test]
fn sizes_are_read_with_and_without_units() {
    for (text, bytes) in [
        ("\"8KiB\"", 8 << 10),
        ("\"1 MiB\"", 1 << 20),
        ("\"10kB\"", 10_000),
        ("\"1mb\"", 1_000_000),
        ("\"9000B\"", 9_000),
        ("9000", 9_000),
    ] {
        let config = load(&format!("connections.head_size = {text}\n{POOL}")).unwrap();
        assert_eq!(config.connections.head_bytes, bytes, "{text}");
    }
}

#[test]
fn client_keys_of_a_file_are_read() {
    // printf %s s3cret | sha256sum
    let digest = "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0";
    let text = format!(
        r#"
        [clients]
        cors = ["https://a.example", "http://localhost:3000"]
        [[clients.keys]]
        name = "hashed"
        sha256 = "{}"
        pools = ["default"]
        requests_per_minute = 60
        [[clients.keys]]
        name = "plain"
        secret = "another"
        {POOL}"#,
        digest.to_uppercase()
    );
    let clients = load(&text).unwrap().clients;
    let [hashed, plain] = &clients.keys[..] else {
        panic!("two keys");
    };
    assert_eq!((&*hashed.name, &*plain.name), ("hashed", "plain"));
    assert_eq!(hashed.pools, ["default"]);
    assert_eq!(hashed.requests_per_minute, NonZeroU32::new(60));
    assert_eq!(
        (&plain.pools[..], plain.requests_per_minute),
        (&[][..], None)
    );
    let Some(AllowedOrigins::List(origins)) = &clients.cors else {
        panic!("two origins");
    };
    assert_eq!(origins, &["https://a.example", "http://localhost:3000"]);

    let plain = text.replace(
        &format!("sha256 = \"{}\"", digest.to_uppercase()),
        "secret = 's3cret'",
    );
    assert_eq!(load(&plain).unwrap().clients.keys[0].sha256, hashed.sha256);
    let any = load(&format!("clients.cors = ['*']\n{POOL}")).unwrap();
    assert_eq!(any.clients.cors, Some(AllowedOrigins::Any));
}

#[test]
fn protocol_of_a_backend() {
    for (text, expected) in [
        ("", Protocol::Auto),
        ("protocol = 'auto'", Protocol::Auto),
        ("protocol = 'http1'", Protocol::Http1),
        ("protocol = 'HTTP2'", Protocol::Http2),
        ("http2 = true", Protocol::Http2),
        ("http2 = false", Protocol::Auto),
    ] {
        let config = load(&with_backend(text)).unwrap();
        assert_eq!(config.pools[0].backends[0].protocol, expected, "{text}");
    }
    let both = with_backend("protocol = 'http1'\nhttp2 = true");
    assert_problem(
        &both,
        "backends[0].protocol: set twice, once by another name",
    );
}

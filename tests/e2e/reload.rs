//! The configuration changes while the gateway serves: only removed parts are lost.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use rustix::process::Signal;
use serde_json::Value;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{
        ASK, Authority, Client, Files, Gateway, TlsUpstream, Wire, WireUpstream, answer, behaving,
        healthy,
        reload::{ask, backend, backend_with, in_service, pool, refused, status},
        soon,
    },
    gateway,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};

async fn metric(gateway: &Gateway, name: &str) -> String {
    let admin = gateway.admin().await;
    let metrics = admin.get("/metrics").await;
    let mut lines = metrics.text().lines();
    let value = lines.find_map(|line| line.strip_prefix(&format!("{name} ")));
    value.unwrap().to_owned()
}

async fn change(gateway: &Gateway, text: &str, generation: u64) {
    gateway.files().write(Files::CONFIG, text);
    in_service(gateway, generation).await;
}

async fn hang_up(gateway: &Gateway, generation: u64) {
    gateway.signal(Signal::HUP);
    in_service(gateway, generation).await;
}

#[tokio::test]
async fn backend_that_throttles_stays_closed_for_as_long_as_it_said() {
    let throttled = behaving(answer(429, &[("retry-after", "50")])).await;
    let a = |weight| {
        let more = format!("weight = {weight}\ncredential = \"passthrough\"");
        let backend = backend_with("a", 1, &throttled.url(), &more);
        pool(&["when_exhausted = \"reject\"\n".into(), backend])
    };
    let gateway = gateway!().config(&a(1)).start().await;
    let reopens_in = async || {
        let answer = ask(&gateway).await;
        assert_eq!(answer.status, 429);
        let wait = answer.header("retry-after-ms").unwrap();
        wait.parse::<u64>().unwrap()
    };
    let before = reopens_in().await;
    hang_up(&gateway, 2).await;
    change(&gateway, &a(2), 3).await;
    let after = reopens_in().await;
    assert!(after < before && after > 10_000, "{before} ms, {after} ms");
    assert_eq!(throttled.handle().stats().received, 1);
}

#[tokio::test]
async fn stream_goes_on_while_its_backend_is_taken_out() {
    let (upstream, other) = (WireUpstream::bind().await, healthy().await);
    let a = backend("a", 1, &upstream.url());
    let gateway = gateway!().config(&pool(&[a])).start().await;
    let (mut client, mut server) = upstream.begin_stream(gateway.address()).await;

    change(&gateway, &pool(&[backend("b", 1, &other.url())]), 2).await;
    assert_eq!(ask(&gateway).await.backend(), "b");
    server.send("B\r\ndata: two\n\n\r\n").await;
    client.read_until("data: two\n\n").await;
    server.send("0\r\n\r\n").await;
    client.read_until("0\r\n\r\n").await;

    // The client's connection is kept, and uses the new configuration.
    client.send(ASK).await;
    let head = client.read_head().await;
    assert!(head.contains("x-spillover-backend: b\r\n"), "{head}");
}

#[tokio::test]
async fn connections_to_backends_that_stay_are_used_again() {
    let (stays, comes) = (healthy().await, healthy().await);
    let a = backend("a", 1, &stays.url());
    // Each thread has connections of its own.
    let gateway = gateway!()
        .env("TOKIO_WORKER_THREADS", "1")
        .config(&pool(std::slice::from_ref(&a)));
    let gateway = gateway.start().await;
    assert_eq!(ask(&gateway).await.backend(), "a");
    let b = backend("b", 2, &comes.url());
    change(&gateway, &pool(&[a, b]), 2).await;
    hang_up(&gateway, 3).await;
    assert_eq!(ask(&gateway).await.backend(), "a");
    assert_eq!(stays.handle().stats().connections, 1);
}

#[tokio::test]
async fn requests_under_way_count_after_a_reload() {
    let (busy, other) = (behaving(Behavior::stall()).await, healthy().await);
    let limited = |priority| {
        let more = "max_concurrency = 1\ncredential = \"passthrough\"";
        backend_with("a", priority, &busy.url(), more)
    };
    let text = |of_b| pool(&[limited(1), backend("b", of_b, &other.url())]);
    let gateway = gateway!().config(&text(2)).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(ASK).await;
    soon(busy.handle().wait_for(|stats| stats.received == 1)).await;

    change(&gateway, &text(3), 2).await;
    assert_eq!(ask(&gateway).await.backend(), "b");
    let in_flight = async || status(&gateway).await["pools"][0]["backends"][0]["in_flight"].clone();
    assert_eq!(in_flight().await, 1);
    drop(client);
    soon(async {
        while in_flight().await != 0 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn bad_file_is_refused_and_the_old_one_stays() {
    let (one, other) = (healthy().await, healthy().await);
    let good = pool(&[backend("a", 1, &one.url())]);
    let gateway = gateway!().config(&good).start().await;
    assert_eq!(
        metric(&gateway, "spillover_configuration_refused").await,
        "0"
    );

    let bad = pool(&[backend("b", 1, &other.url()).replace("priority", "prority")]);
    gateway.files().write(Files::CONFIG, &bad);
    let lines = refused(&gateway, 1).await;
    let expected = "pools[0].backends[0].prority: an unknown key; did you mean priority?";
    let said = |reason: &Value| reason.as_str().unwrap().contains(expected);
    assert!(said(&lines[0]["reason"]), "{lines:?}");
    let configuration = status(&gateway).await["configuration"].clone();
    assert!(said(&configuration["refused"]["reason"]), "{configuration}");
    assert_eq!(configuration["generation"], 1);
    assert_eq!(
        metric(&gateway, "spillover_configuration_refused").await,
        "1"
    );
    assert_eq!(ask(&gateway).await.backend(), "a");

    // Another SIGHUP refuses the file again, and so does one after the file is gone.
    gateway.signal(Signal::HUP);
    refused(&gateway, 2).await;
    fs::remove_file(gateway.files().path(Files::CONFIG)).unwrap();
    refused(&gateway, 3).await;
    assert_eq!(ask(&gateway).await.backend(), "a");

    change(&gateway, &bad.replace("prority", "priority"), 2).await;
    assert_eq!(ask(&gateway).await.backend(), "b");
    let configuration = status(&gateway).await["configuration"].clone();
    assert!(configuration.get("refused").is_none(), "{configuration}");
    assert_eq!(
        metric(&gateway, "spillover_configuration_refused").await,
        "0"
    );
    let generation = metric(&gateway, "spillover_configuration_generation").await;
    assert_eq!(generation, "2");
}

#[tokio::test]
async fn rotated_key_is_used_and_reopens_the_backend() {
    let upstream = MockUpstream::builder()
        .api_key("new")
        .start()
        .await
        .unwrap();
    let other = behaving(answer(500, &[])).await;
    let files = Files::new();
    files.write("key", "old\n");
    let more = "credential = { api_key = { file = \"key\" } }";
    let text = pool(&[
        backend_with("a", 1, &upstream.url(), more),
        backend("b", 2, &other.url()),
    ]);
    let gateway = gateway!().config_beside(files, &text).start().await;
    assert_eq!(ask(&gateway).await.status, 500);
    let condition = async || status(&gateway).await["pools"][0]["backends"][0]["condition"].clone();
    assert_eq!(condition().await, "failing");

    gateway.files().write("key", "new\n");
    in_service(&gateway, 2).await;
    assert_eq!(condition().await, "open");
    let body = r#"{"messages": [], "model": "gpt-4o"}"#;
    let answer = gateway.post("/v1/chat/completions", body).await;
    assert_eq!((answer.status, answer.backend()), (200, "a"));
    let used = upstream.handle().last_request().unwrap();
    assert_eq!(used.headers["api-key"], "new");
}

async fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::clone(config));
    let host = ServerName::try_from("localhost").unwrap();
    soon(connector.connect(host, stream)).await.unwrap()
}

fn certificate(stream: &TlsStream<TcpStream>) -> &[u8] {
    &stream.get_ref().1.peer_certificates().unwrap()[0]
}

#[tokio::test]
async fn certificate_is_replaced_together_with_the_rest_or_not_at_all() {
    let (authority, upstream) = (Authority::new(), healthy().await);
    let files = Files::new();
    let directory = files.path("");
    let first = authority.issue("localhost");
    first.write(&directory);
    let listener =
        "[[listeners]]\n[listeners.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    let plain = "[[listeners]]\naddress = \"127.0.0.1:0\"\n";
    let text = |name| listener.to_owned() + plain + &pool(&[backend(name, 1, &upstream.url())]);
    let gateway = gateway!().config_beside(files, &text("a")).start().await;
    let plain = gateway
        .wait_for_line(|line| line["message"] == "listening" && line["tls"] == false)
        .await;
    let plain = Client::http1(plain["address"].as_str().unwrap().parse().unwrap());
    let config = Arc::new(authority.client_config(None, &["http/1.1"]));
    let mut kept = connect(gateway.address(), &config).await;
    let mut ask_kept = async || {
        kept.write_all(ASK.as_bytes()).await.unwrap();
        let mut said = vec![0; 4096];
        let read = soon(kept.read(&mut said)).await.unwrap();
        let said = String::from_utf8_lossy(&said[..read]).into_owned();
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        said
    };
    ask_kept().await;

    let second = authority.issue("localhost");
    second.write(&directory);
    in_service(&gateway, 2).await;
    let new = connect(gateway.address(), &config).await;
    assert_eq!(certificate(&new), second.certificate());
    ask_kept().await;

    // The certificate is good, but another setting is bad.
    let before = gateway.lines().len();
    authority.issue("localhost").write(&directory);
    gateway.files().write(Files::CONFIG, "no TOML");
    refused(&gateway, 1).await;
    gateway.signal(Signal::HUP);
    refused(&gateway, 2).await;
    let new = connect(gateway.address(), &config).await;
    assert_eq!(certificate(&new), second.certificate());

    // Everything is good but a key.
    fs::write(directory.join("key.pem"), "no key").unwrap();
    gateway.files().write(Files::CONFIG, &text("b"));
    let lines = refused(&gateway, 3).await;
    let reason = lines.last().unwrap()["reason"].as_str().unwrap();
    assert!(
        reason.contains("key.pem: expected a private key"),
        "{reason}"
    );
    assert_eq!(plain.get("/v1/models").await.backend(), "a");
    let new = connect(gateway.address(), &config).await;
    assert_eq!(certificate(&new), second.certificate());

    let third = authority.issue("localhost");
    third.write(&directory);
    let is_third = |line: &Value| line["generation"].as_u64() >= Some(3);
    gateway.wait_for_line(is_third).await;
    let new = connect(gateway.address(), &config).await;
    assert_eq!(certificate(&new), third.certificate());
    assert!(ask_kept().await.contains("x-spillover-backend: b\r\n"));
    assert!(gateway.lines().len() > before);

    // Other paths than at the start are reported, and the old files may be gone.
    let moved = text("c").replace("cert.pem", "other.pem");
    fs::rename(directory.join("cert.pem"), directory.join("other.pem")).unwrap();
    gateway.files().write(Files::CONFIG, &moved);
    gateway
        .wait_for_line(|line| line["key"] == "listeners")
        .await;
    assert_eq!(plain.get("/v1/models").await.backend(), "c");
    let new = connect(gateway.address(), &config).await;
    assert_eq!(certificate(&new), third.certificate());
}

#[tokio::test]
async fn changed_ca_file_applies_to_backends() {
    let (old, new) = (Authority::new(), Authority::new());
    let answer = |_| async { Response::new(Body::from("answer")) };
    let upstream = TlsUpstream::start(&new, &["http/1.1"], answer).await;
    let files = Files::new();
    fs::copy(old.file(), files.path("ca.pem")).unwrap();
    let more = "credential = \"passthrough\"\nca = \"ca.pem\"";
    let text = pool(&[backend_with("a", 1, &upstream.url(), more)]);
    let gateway = gateway!().config_beside(files, &text).start().await;
    assert_eq!(ask(&gateway).await.status, 502);
    fs::copy(new.file(), gateway.files().path("ca.pem")).unwrap();
    in_service(&gateway, 2).await;
    assert_eq!(ask(&gateway).await.status, 200);
    let connections = upstream.connections();

    // A CA that is no longer trusted is rejected at once, even on an open connection.
    fs::copy(old.file(), gateway.files().path("ca.pem")).unwrap();
    in_service(&gateway, 3).await;
    assert_eq!(ask(&gateway).await.status, 502);
    assert!(upstream.connections() > connections);
}

#[tokio::test]
async fn keys_come_and_go_for_connections_that_stay() {
    let upstream = healthy().await;
    let with_keys = |keys: &[&str]| {
        let keys = keys
            .iter()
            .map(|key| format!("[[clients.keys]]\nname = {key:?}\nsecret = {key:?}\n"));
        keys.collect::<String>() + &pool(&[backend("a", 1, &upstream.url())])
    };
    let gateway = gateway!().config(&with_keys(&["one"])).start().await;
    let http2 = gateway.http2();
    let asked = async |key: &str| {
        let request = || {
            let request = Request::post("/v1/chat/completions").header("api-key", key);
            request.body(Body::from("{}")).unwrap()
        };
        let statuses = (
            http2.send(request()).await.status,
            gateway.send(request()).await.status,
        );
        assert_eq!(statuses.0, statuses.1);
        statuses.0
    };
    assert_eq!((asked("one").await, asked("two").await), (200, 401));
    change(&gateway, &with_keys(&["one", "two"]), 2).await;
    assert_eq!((asked("one").await, asked("two").await), (200, 200));
    change(&gateway, &with_keys(&["two"]), 3).await;
    assert_eq!((asked("one").await, asked("two").await), (401, 200));
}

#[tokio::test]
async fn pools_and_priorities_change() {
    let (one, other) = (healthy().await, healthy().await);
    let both = |first, second| {
        pool(&[
            backend("a", first, &one.url()),
            backend("b", second, &other.url()),
        ])
    };
    let gateway = gateway!().config(&both(1, 2)).start().await;
    assert_eq!(ask(&gateway).await.backend(), "a");
    change(&gateway, &both(2, 1), 2).await;
    assert_eq!(ask(&gateway).await.backend(), "b");

    let special = "[[pools]]\nname = \"special\"\nroutes = [{ path_prefix = \"/special\" }]\n";
    let special = special.to_owned() + &backend("c", 1, &one.url());
    let text = both(1, 2).replace(
        "[[pools]]\n",
        &(special + "[[pools]]\nname = \"default\"\n"),
    );
    change(&gateway, &text, 3).await;
    assert_eq!(gateway.get("/special/x").await.backend(), "c");
    assert_eq!(ask(&gateway).await.backend(), "a");
    change(&gateway, &both(1, 2), 4).await;
    assert_eq!(gateway.get("/special/x").await.backend(), "a");
}

#[tokio::test]
async fn pending_restart_is_logged_at_each_reload() {
    let upstream = healthy().await;
    let text = pool(&[backend("a", 1, &upstream.url())]);
    let gateway = gateway!().config(&text).start().await;
    let said = || {
        let is_said = |line: &&Value| {
            let message = line["message"].as_str().unwrap_or_default();
            message.contains("when the gateway is started again")
        };
        gateway.lines().iter().filter(is_said).count()
    };
    let changed = "[connections]\nmax = 5\n".to_owned() + &text.replace("\"a\"", "\"b\"");
    change(&gateway, &changed, 2).await;
    gateway
        .wait_for_line(|line| line["key"] == "connections")
        .await;
    assert_eq!(ask(&gateway).await.backend(), "b");
    hang_up(&gateway, 3).await;
    hang_up(&gateway, 4).await;
    assert!(said() >= 2);
    // As at the start: nothing to report.
    change(&gateway, &text, 5).await;
    let before = said();
    hang_up(&gateway, 6).await;
    hang_up(&gateway, 7).await;
    assert_eq!(said(), before);
}

#[tokio::test]
async fn storm_of_signals_without_a_change_loses_nothing() {
    let upstream = healthy().await;
    let gateway = gateway!().config(&pool(&[backend("a", 1, &upstream.url())]));
    let gateway = gateway.start().await;
    for _ in 0..100 {
        gateway.signal(Signal::HUP);
        assert_eq!(ask(&gateway).await.status, 200);
    }
    in_service(&gateway, 3).await;
    let exit = gateway.stop().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

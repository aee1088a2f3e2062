//! The lines of the log about requests and clients.

use std::{fs, sync::Arc};

use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{
        ASK, Authority, Files, WebSocket, WebSocketUpstream, Wire, backend, behaving, healthy,
        json, pool, soon, with,
    },
    gateway,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    file::Golden,
    log::{CHAT, FRAME, lines, message, sorted},
};

#[tokio::test]
async fn requests_are_logged_as_before() {
    let mut golden = Golden::new("log_requests.jsonl");
    let (chat, other, tunnel) = (
        healthy().await,
        healthy().await,
        WebSocketUpstream::start().await,
    );
    let text = "[[clients.keys]]\nname = \"alice\"\nsecret = \"k1\"\n\
        [[clients.keys]]\nname = \"bob\"\nsecret = \"k2\"\nrequests_per_minute = 1\npools = [\"chat\"]\n"
        .to_owned()
        + &pool("chat", "routes = [{ path_prefix = \"/v1/chat\" }]\nlimits.body = 9")
        + &backend("chat", &chat.url(), "")
        + &pool("realtime", "routes = [{ path_prefix = \"/v1/realtime\" }, { path_prefix = \"/v1/other\" }]")
        + &backend("realtime", &tunnel.url(), "")
        + &pool("other", "routes = [{ path_prefix = \"/v1/models\" }]")
        + &backend("other", &other.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let mut count = 0;
    for (key, path, body) in [
        ("k1", "/v1/chat/completions?key=s3cret", "{}"),
        ("k1", CHAT, "0123456789"),
        ("k2", "/v1/models", "{}"),
        ("k2", CHAT, "{}"),
        ("k3", CHAT, "{}"),
        ("k1", "/v1/nowhere", "{}"),
    ] {
        gateway.send(with(json(path, body), "api-key", key)).await;
        count += 1;
        gateway.wait_for_requests(count).await;
    }
    gateway.get("/v1/models").await;
    gateway.get("/healthz").await;
    gateway.wait_for_requests(count + 1).await;
    let fields = [("api-key", "k1")];
    let socket = WebSocket::try_open(gateway.address(), "/v1/realtime?model=m", &fields).await;
    let mut socket = socket.expect("a WebSocket");
    socket.ask("question").await;
    socket.close().await;
    gateway.wait_for_requests(count + 2).await;
    let exit = gateway.stop().await;
    assert!(!exit.stderr.contains("s3cret"), "{}", exit.stderr);
    golden.add(
        "of clients with keys",
        &lines(&exit, |message| !FRAME.contains(&message)),
    );

    let stalled = behaving(Behavior::stall()).await;
    let gateway = gateway!()
        .backend("slow", 1, stalled.url())
        .env("RUST_LOG", "debug")
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(ASK).await;
    soon(stalled.handle().wait_for(|stats| stats.received == 1)).await;
    drop(client);
    gateway.wait_for_requests(1).await;
    golden.add(
        "the client went away",
        &sorted(&lines(&gateway.stop().await, |message| {
            !FRAME.contains(&message)
        })),
    );

    let (files, authority) = (Files::new(), Authority::new());
    authority.issue("localhost").write(&files.path(""));
    files.write(
        "ca.pem",
        &fs::read_to_string(authority.file()).expect("a file"),
    );
    let tls = "tls = { certificate = \"cert.pem\", key = \"key.pem\", client_ca = \"ca.pem\" }";
    let text = format!("[[listeners]]\naddress = \"127.0.0.1:0\"\n{tls}\n")
        + &pool("only", "")
        + &backend("only", &other.url(), "");
    let gateway = gateway!()
        .env("RUST_LOG", "debug")
        .config_beside(files, &text)
        .start()
        .await;
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send("GET / HTTP/1.1\r\n\r\n").await;
    message(&gateway, "TLS handshake").await;
    let config = authority.client_config(Some(&authority.issue("client")), &[]);
    let stream = TcpStream::connect(gateway.address())
        .await
        .expect("it listens");
    let host = "localhost".try_into().expect("a host");
    let mut stream = soon(TlsConnector::from(Arc::new(config)).connect(host, stream))
        .await
        .expect("a handshake");
    let ask = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.expect("it reads");
    let _ = soon(stream.read_to_end(&mut Vec::new())).await;
    let line = gateway.wait_for_requests(1).await.remove(0);
    let certificate = line["client_certificate"]
        .as_str()
        .expect("a fingerprint")
        .to_owned();
    assert_eq!(certificate.len(), 64);
    let exit = gateway.stop().await;
    let text = lines(&exit, |message| !FRAME.contains(&message));
    golden.add("over TLS", &text.replace(&certificate, "<sha256>"));
    golden.assert();
}

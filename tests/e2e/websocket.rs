//! A WebSocket through the gateway: bytes pass both ways unchanged, and each side sees the other's end.

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::Value;
use spillover_tests::{
    e2e::{
        Authority, Echo, Gateway, TlsUpstream, WebSocket, WebSocketUpstream, Wire, WireUpstream,
        healthy, soon,
    },
    gateway,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::{
    Bytes, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

const REALTIME: &str = "/v1/realtime?model=gpt-realtime";

const ASK: &str = "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nhost: gateway\r\n\
    connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

async fn in_front_of(backend: &WebSocketUpstream) -> Gateway {
    gateway!().backend("only", 1, backend.url()).start().await
}

/// Opens a tunnel and returns both ends.
async fn wires(gateway: &Gateway, backend: &WireUpstream) -> (Wire, Wire) {
    let mut client = Wire::connect(gateway.address()).await;
    client.send(ASK).await;
    let mut server = backend.accept().await;
    server.read_head().await;
    server.send(AGREE).await;
    let head = client.read_head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    (client, server)
}

async fn line(gateway: &Gateway) -> Value {
    gateway.wait_for_requests(1).await.remove(0)
}

#[tokio::test]
async fn messages_of_all_kinds_pass_both_ways() {
    let backend = WebSocketUpstream::start().await;
    let gateway = in_front_of(&backend).await;
    let mut socket = WebSocket::open(&gateway, REALTIME).await;
    assert_eq!(socket.backend(), "only");

    socket.ask("a question").await;
    socket.ask(vec![0_u8, 255, 10]).await;
    socket.ask("").await;
    let large: Vec<u8> = (0..1_u32 << 20).map(|at| (at % 251) as u8).collect();
    for _ in 0..3 {
        socket.ask(large.clone()).await;
    }
    socket.send(Message::Ping(Bytes::from("p"))).await;
    assert_eq!(socket.next().await, Some(Message::Pong(Bytes::from("p"))));

    let close = CloseFrame {
        code: CloseCode::Away,
        reason: "bye".into(),
    };
    socket.send(Message::Close(Some(close.clone()))).await;
    assert_eq!(socket.next().await, Some(Message::Close(Some(close))));
    assert_eq!(socket.next().await, None);

    let line = line(&gateway).await;
    assert_eq!(
        (&line["status"], &line["end"]),
        (&101.into(), &"complete".into())
    );
    assert_eq!(
        (&line["backend"], &line["attempts"]),
        (&"only".into(), &1.into())
    );
    assert_eq!(line["path"], "/v1/realtime");
    for bytes in ["bytes", "bytes_in"] {
        let bytes = line[bytes].as_u64().unwrap();
        assert!(bytes > 3 << 20 && bytes < (3 << 20) + 1_000, "{line}");
    }
}

#[tokio::test]
async fn handshake_fields_reach_the_backend() {
    let backend = WebSocketUpstream::start().await;
    let gateway = in_front_of(&backend).await;
    let fields = [
        ("origin", "https://app.example"),
        ("openai-beta", "realtime=v1"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-protocol", "realtime, other"),
    ];
    let socket = WebSocket::try_open(gateway.address(), REALTIME, &fields).await;
    let socket = socket.unwrap();
    assert_eq!(
        socket.response.headers()["sec-websocket-protocol"],
        "realtime"
    );

    let seen = backend.echo().last();
    assert_eq!(seen.uri(), REALTIME);
    assert_eq!(
        format!("http://{}", seen.headers()["host"].to_str().unwrap()),
        backend.url()
    );
    assert_eq!(seen.headers()["connection"], "upgrade");
    assert_eq!(seen.headers()["upgrade"], "websocket");
    assert_eq!(seen.headers()["sec-websocket-version"], "13");
    for (name, value) in fields {
        assert_eq!(seen.headers()[name], value);
    }
}

#[tokio::test]
async fn other_upgrades_are_not_passed_on() {
    let backend = healthy().await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    for (protocol, version) in [("h2c", "1.1"), ("websocket", "1.0")] {
        let response = Wire::exchange(
            gateway.address(),
            &format!(
                "GET /v1/models HTTP/{version}\r\nhost: gateway\r\nconnection: upgrade, close\r\n\
                 upgrade: {protocol}\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n"
            ),
        )
        .await;
        assert!(response.contains(" 200 OK\r\n"), "{response}");
        let seen = backend.handle().last_request().unwrap().headers;
        assert!(!seen.contains_key("upgrade") && !seen.contains_key("connection"));
    }
}

#[tokio::test]
async fn connection_serves_on_after_a_switch_that_did_not_come() {
    let backend = healthy().await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    for protocol in ["h2c", "websocket", "h2c"] {
        client
            .send(format!(
                "GET /v1/models HTTP/1.1\r\nhost: gateway\r\nconnection: upgrade\r\n\
                 upgrade: {protocol}\r\n\r\n"
            ))
            .await;
        let head = client.read_head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
}

#[tokio::test]
async fn data_sent_with_the_handshake_is_not_lost() {
    let backend = WireUpstream::bind().await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(format!("{ASK}early of the client")).await;
    let mut server = backend.accept().await;
    server.read_head().await;
    server.send(format!("{AGREE}early of the backend")).await;

    client.read_until("\r\n\r\nearly of the backend").await;
    server.read_until("early of the client").await;
}

#[tokio::test]
async fn one_side_may_end_before_the_other() {
    let backend = WireUpstream::bind().await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let mut client = TcpStream::connect(gateway.address()).await.unwrap();
    client.write_all(ASK.as_bytes()).await.unwrap();
    let mut server = backend.accept().await;
    server.read_head().await;
    server.send(AGREE).await;

    client.write_all(b"the last word").await.unwrap();
    client.shutdown().await.unwrap();
    server.read_until("the last word").await;
    server.send("but one").await;
    // The backend sees the client's end.
    assert_eq!(server.read_to_end().await, "");
    let mut rest = Vec::new();
    soon(client.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.ends_with(b"\r\n\r\nbut one"));
    let line = line(&gateway).await;
    assert_eq!(
        (&line["end"], &line["bytes"], &line["bytes_in"]),
        (&"complete".into(), &7.into(), &13.into())
    );
}

#[tokio::test]
async fn client_that_leaves_is_seen_by_the_backend() {
    let backend = WebSocketUpstream::start().await;
    let gateway = in_front_of(&backend).await;
    let mut socket = WebSocket::open(&gateway, REALTIME).await;
    socket.ask("here").await;
    backend.echo().wait_for_open(1).await;
    drop(socket);
    backend.echo().wait_for_open(0).await;
}

#[tokio::test]
async fn backend_that_leaves_is_seen_by_the_client() {
    let backend = WebSocketUpstream::start().await;
    let gateway = in_front_of(&backend).await;
    let mut socket = WebSocket::open(&gateway, REALTIME).await;
    socket.ask("here").await;
    socket.send("leave").await;
    assert_eq!(socket.next().await, None);
    assert_eq!(line(&gateway).await["status"], 101);
}

#[tokio::test]
async fn log_names_the_side_that_broke_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = gateway!().backend("only", 1, url).start().await;
    for (is_backend, end) in [(true, "broken"), (false, "cancelled")] {
        let mut client = TcpStream::connect(gateway.address()).await.unwrap();
        client.write_all(ASK.as_bytes()).await.unwrap();
        let (mut server, _) = soon(listener.accept()).await.unwrap();
        let mut head = [0; 4_096];
        soon(server.read(&mut head)).await.unwrap();
        server.write_all(AGREE.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        soon(client.read_exact(&mut head)).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");

        let (leaves, mut stays) = if is_backend {
            (server, client)
        } else {
            (client, server)
        };
        leaves.set_zero_linger().unwrap();
        drop(leaves);
        let mut rest = Vec::new();
        let _ = soon(stays.read_to_end(&mut rest)).await;
        gateway
            .wait_for_line(|line| line["message"] == "request" && line["end"] == end)
            .await;
    }
}

#[tokio::test]
async fn hundred_websockets_at_once() {
    let backend = WebSocketUpstream::start().await;
    let gateway = in_front_of(&backend).await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(WebSocket::open(&gateway, REALTIME).await);
    }
    backend.echo().wait_for_open(100).await;
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.send(format!("message {number}")).await;
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        let echo = Message::text(format!("message {number}"));
        assert_eq!(socket.next().await, Some(echo));
    }
    // Other requests use their own connections.
    assert_eq!(gateway.get("/v1/models").await.text(), "/v1/models");
    drop(sockets);
    backend.echo().wait_for_open(0).await;
    gateway.wait_for_requests(101).await;
}

#[tokio::test]
async fn gateway_that_stops_waits_for_those_that_are_open() {
    let backend = WebSocketUpstream::start().await;
    let gateway = in_front_of(&backend).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(WebSocket::open(&gateway, REALTIME).await);
    }
    gateway.signal(Signal::TERM);
    gateway
        .wait_for_line(|line| line["message"].as_str().unwrap().starts_with("stopping"))
        .await;
    for mut socket in sockets {
        socket.ask("still here").await;
        socket.close().await;
    }
    let exit = gateway.exit().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(!exit.stderr.contains("still under way"), "{exit:?}");
    assert_eq!(exit.stderr.matches(r#""end":"complete""#).count(), 4);
}

#[tokio::test]
async fn backend_that_does_not_read_holds_the_client_back() {
    let backend = WireUpstream::bind().await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let (mut client, mut server) = wires(&gateway, &backend).await;
    // More than sockets hold.
    let flood = "x".repeat(64 << 20);
    let memory = gateway.peak_memory();
    let ((), ()) = tokio::join!(client.send(&flood), async {
        server.read_until("xxx").await;
        let mut left = flood.len() - 3;
        while left > 0 {
            let part = "x".repeat(left.min(1 << 20));
            left -= server.read_until(&part).await.len();
        }
    });
    assert!(gateway.peak_memory() - memory < 16 << 10);
}

#[tokio::test]
async fn http_1_1_is_spoken_to_a_backend_that_prefers_http_2() {
    let authority = Authority::new();
    let echo = Echo::new();
    let answer = {
        let echo = echo.clone();
        move |request| echo.clone().answer(request)
    };
    let backend = TlsUpstream::start(&authority, &["h2", "http/1.1"], answer).await;
    let gateway = gateway!()
        .backend("only", 1, backend.url())
        .env("SSL_CERT_FILE", authority.file())
        .start()
        .await;
    let before = gateway.get("/v1/models").await;
    let mut socket = WebSocket::open(&gateway, REALTIME).await;
    socket.ask("over TLS").await;
    let after = gateway.get("/v1/models").await;
    socket.ask("and again").await;
    socket.close().await;

    assert_eq!((before.status, after.status), (200, 200));
    let versions: Vec<_> = echo.requests().iter().map(|r| r.version()).collect();
    assert_eq!(format!("{versions:?}"), "[HTTP/2.0, HTTP/1.1, HTTP/2.0]");
    assert_eq!(line(&gateway).await["status"], 200);
}

#[tokio::test]
async fn client_of_http_2_is_refused() {
    let backend = WebSocketUpstream::start().await;
    let gateway = in_front_of(&backend).await;
    // Extended CONNECT (RFC 8441) is not offered, and CONNECT is not proxied.
    let address: SocketAddr = gateway.address();
    let request = spillover_tests::e2e::request("CONNECT", "/", axum::body::Body::empty());
    let (mut client, connection) = {
        let stream = TcpStream::connect(address).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        soon(hyper::client::conn::http2::handshake(executor, io))
            .await
            .unwrap()
    };
    tokio::spawn(connection);
    let mut request = request;
    *request.uri_mut() = "gateway:443".parse().unwrap();
    let response = soon(client.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 405);
    assert!(backend.echo().requests().is_empty());
}

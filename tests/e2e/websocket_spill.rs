//! A WebSocket handshake is a request like any other: refusals move it on, and close the backend.

use std::time::Duration;

use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{
        Gateway, RefusingPort, WebSocket, WebSocketUpstream, Wire, WireUpstream, answer, behaving,
        healthy, soon,
    },
    gateway,
};

const REALTIME: &str = "/v1/realtime?model=gpt-realtime";

#[tokio::test]
async fn handshake_moves_on_until_a_backend_accepts_it() {
    let (throttling, busy) = (
        behaving(Behavior::status(429)).await,
        behaving(Behavior::status(503)).await,
    );
    let (refusing, stalling) = (RefusingPort::bind(), behaving(Behavior::stall()).await);
    let resetting = behaving(Behavior::reset()).await;
    let backend = WebSocketUpstream::start().await;
    let gateway = gateway!()
        .backend("throttling", 1, throttling.url())
        .backend("busy", 2, busy.url())
        .backend("refusing", 3, refusing.url())
        .backend("stalling", 4, stalling.url())
        .backend("resetting", 5, resetting.url())
        .backend("taking", 6, backend.url())
        .env("HTTP_TIMEOUT_SECONDS", "0.5")
        .start()
        .await;

    let mut socket = WebSocket::open(&gateway, REALTIME).await;
    assert_eq!(socket.backend(), "taking");
    socket.ask("here").await;
    socket.close().await;
    let line = gateway.wait_for_requests(1).await.remove(0);
    assert_eq!(
        (&line["attempts"], &line["spill"]),
        (&6.into(), &true.into())
    );
    for mock in [&throttling, &busy, &stalling] {
        assert_eq!(mock.handle().stats().received, 1);
        let asked = mock.handle().last_request().unwrap().headers;
        assert_eq!(asked["upgrade"], "websocket");
    }
    // The refusing backends are closed: the next handshake goes to the accepting one.
    assert_eq!(
        WebSocket::open(&gateway, REALTIME).await.backend(),
        "taking"
    );
    assert_eq!(throttling.handle().stats().received, 1);
}

#[tokio::test]
async fn timeout_ends_with_the_handshake() {
    let backend = WebSocketUpstream::start().await;
    let gateway = gateway!()
        .backend("only", 1, backend.url())
        .env("HTTP_TIMEOUT_SECONDS", "0.2")
        .start()
        .await;
    let mut socket = WebSocket::open(&gateway, REALTIME).await;
    // Three times as long.
    for _ in 0..6 {
        socket.ask("still here").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn throttled_backend_comes_back() {
    let next = WebSocketUpstream::start().await;
    let throttle = WireUpstream::bind().await;
    let gateway = gateway!()
        .backend("first", 1, throttle.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    let refuse = async {
        let mut server = throttle.accept().await;
        server.read_head().await;
        server
            .send("HTTP/1.1 429 Too Many Requests\r\nretry-after-ms: 300\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await;
    };
    let (socket, ()) = tokio::join!(WebSocket::open(&gateway, REALTIME), refuse);
    assert_eq!(socket.backend(), "next");
    let accept = async {
        let mut server = throttle.accept().await;
        let head = server.read_head().await;
        assert!(head.contains("upgrade: websocket\r\n"), "{head}");
    };
    // The backend is called again after its cooldown.
    let ask = async {
        loop {
            let mut client = Wire::connect(gateway.address()).await;
            client.send(HANDSHAKE).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = accept => {}
        () = ask => {}
    }
}

const HANDSHAKE: &str = "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nhost: gateway\r\n\
    connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Starts a gateway whose first backend throttles one WebSocket; the next one accepts everything.
async fn throttled_at(path: &str) -> Gateway {
    let first = healthy().await;
    first.handle().push(answer(429, &[("retry-after", "60")]));
    let next = WebSocketUpstream::start().await;
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    let socket = WebSocket::open(&gateway, path).await;
    assert_eq!(socket.backend(), "next");
    // Both keep serving after this returns.
    Box::leak(Box::new((first, next)));
    gateway
}

#[tokio::test]
async fn model_is_throttled_for_chats_as_well() {
    let gateway = throttled_at("/v1/realtime?model=gpt-realtime").await;
    let chat = async |model: &str| {
        let mut request = spillover_tests::e2e::request(
            "POST",
            "/v1/chat/completions",
            format!(r#"{{"model": "{model}"}}"#),
        );
        let json = "application/json".parse().unwrap();
        request.headers_mut().insert("content-type", json);
        gateway.send(request).await.backend().to_owned()
    };
    assert_eq!(chat("gpt-realtime").await, "next");
    assert_eq!(chat("gpt-other").await, "first");
}

#[tokio::test]
async fn deployment_is_throttled_for_chats_as_well() {
    let gateway = throttled_at("/openai/realtime?api-version=1&deployment=gpt-realtime").await;
    let chat = async |deployment: &str| {
        let path = format!("/openai/deployments/{deployment}/chat/completions?api-version=1");
        gateway.post(&path, "{}").await.backend().to_owned()
    };
    assert_eq!(chat("gpt-realtime").await, "next");
    assert_eq!(chat("gpt-other").await, "first");
}

#[tokio::test]
async fn answer_that_is_no_refusal_passes() {
    let backend = healthy().await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    for (status, fields) in [
        (200, &[("x-of", "backend")][..]),
        (
            426,
            &[
                ("x-of", "backend"),
                ("upgrade", "websocket"),
                ("connection", "upgrade"),
            ],
        ),
        (404, &[("x-of", "backend")]),
        (401, &[("x-of", "backend")]),
    ] {
        backend.handle().push(answer(status, fields));
        let refused = WebSocket::try_open(gateway.address(), REALTIME, &[]).await;
        let response = refused.unwrap_err();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-of"], "backend");
        let is_named = response.headers().contains_key("upgrade");
        assert_eq!(is_named, status == 426);
    }
}

#[tokio::test]
async fn throttled_handshake_gets_retry_after() {
    let backend = behaving(answer(429, &[("retry-after", "7")])).await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let refused = WebSocket::try_open(gateway.address(), REALTIME, &[]).await;
    let response = refused.unwrap_err();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
}

#[tokio::test]
async fn unrequested_101_is_a_failure() {
    let (switching, next) = (WireUpstream::bind().await, healthy().await);
    let gateway = gateway!()
        .backend("switching", 1, switching.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    let (answer, ()) = tokio::join!(gateway.get("/v1/models"), async {
        let mut server = switching.accept().await;
        server.read_head().await;
        server
            .send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n")
            .await;
    });
    assert_eq!((answer.status, answer.backend()), (200, "next"));
}

#[tokio::test]
async fn backend_that_agrees_and_resets_leaves_the_client_with_a_closed_connection() {
    let backend = WireUpstream::bind().await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(HANDSHAKE).await;
    let mut server = backend.accept().await;
    server.read_head().await;
    server
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        )
        .await;
    drop(server);
    let response = client.read_to_end().await;
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
}

#[tokio::test]
async fn clients_key_reaches_no_backend_that_has_its_own() {
    let (own, passing) = (
        WebSocketUpstream::start().await,
        WebSocketUpstream::start().await,
    );
    for (backend, has_own) in [(&own, true), (&passing, false)] {
        let mut gateway = gateway!()
            .backend("only", 1, backend.url())
            .env("RUST_LOG", "trace");
        if has_own {
            gateway = gateway.key("only", "s3cret-of-the-backend");
        }
        let gateway = gateway.start().await;
        let protocols =
            "realtime, openai-insecure-api-key.s3cret-of-the-client, openai-beta.realtime-v1";
        let path = "/openai/realtime?deployment=d&api-key=s3cret-in-the-query";
        let fields = [("sec-websocket-protocol", protocols)];
        let socket = WebSocket::try_open(gateway.address(), path, &fields).await;
        let mut socket = socket.unwrap();
        socket.ask("here").await;
        socket.close().await;

        let seen = backend.echo().last();
        let sent = &seen.headers()["sec-websocket-protocol"];
        if has_own {
            assert_eq!(sent, "realtime, openai-beta.realtime-v1");
            assert_eq!(seen.uri(), "/openai/realtime?deployment=d");
            assert_eq!(seen.headers()["api-key"], "s3cret-of-the-backend");
        } else {
            assert_eq!(sent, protocols);
            assert_eq!(seen.uri(), path);
        }
        gateway.wait_for_requests(1).await;
        let log = gateway.stop().await.stderr;
        assert!(!log.contains("s3cret"), "{log}");
    }
}

#[tokio::test]
async fn open_websocket_holds_a_permit_at_its_backend() {
    let (first, next) = (
        WebSocketUpstream::start().await,
        WebSocketUpstream::start().await,
    );
    let backend = |name: &str, priority, url: String| {
        format!(
            "[[pools.backends]]\nname = {name:?}\npriority = {priority}\nurl = {url:?}\nmax_concurrency = 2\n\
             credential = \"passthrough\"\n"
        )
    };
    let file = format!(
        "admin = {{ address = \"127.0.0.1:0\" }}\n[[pools]]\n{}{}",
        backend("first", 1, first.url()),
        backend("next", 2, next.url())
    );
    let gateway = gateway!().config(&file).start().await;
    let (address, admin) = (gateway.address(), gateway.admin().await);
    let in_flight =
        async || admin.get("/status").await.json()["pools"][0]["backends"][0]["in_flight"].clone();
    let open = async || {
        let socket = WebSocket::try_open(address, REALTIME, &[]).await;
        socket.unwrap()
    };

    let mut sockets = [open().await, open().await, open().await];
    let backends: Vec<_> = sockets.iter().map(WebSocket::backend).collect();
    assert_eq!(backends, ["first", "first", "next"]);
    for socket in &mut sockets {
        socket.ask("here").await;
    }
    assert_eq!(in_flight().await, 2);
    let [one, ..] = sockets;
    one.close().await;
    soon(async {
        while in_flight().await != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(open().await.backend(), "first");
}

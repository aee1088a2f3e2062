//! During shutdown the gateway finishes requests in flight, and waits for nothing else.

use std::{io, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Request, Response, header::UPGRADE};
use http_body_util::BodyExt;
use hyper::upgrade;
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use spillover_serve::{Connections, Phase, RequestBody, Shutdown, TaskSpawner};
use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{Client, Serving, Wire, behaving, soon},
    gateway,
};
use tokio::{
    io::{copy, split},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep},
};

const GET: &str = "GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\n";

/// A long delay, for events that must not be waited for.
const NEVER: Shutdown = Shutdown {
    delay: Duration::ZERO,
    deadline: Duration::from_secs(600),
};

async fn answer(_: Request<RequestBody>) -> Response<Body> {
    Response::new(Body::from("answer"))
}

async fn serving(shutdown: Shutdown) -> Serving {
    Serving::start_with(&[None], Connections::default(), shutdown, answer).await
}

/// Starts a server that answers with the test's chunks.
async fn streaming(shutdown: Shutdown) -> (Serving, mpsc::Sender<&'static str>) {
    let (send, chunks) = mpsc::channel(1);
    let chunks = std::sync::Arc::new(std::sync::Mutex::new(Some(chunks)));
    let answer = move |_| {
        let chunks = chunks.lock().unwrap().take().unwrap();
        let chunks = stream::unfold(chunks, |mut chunks: mpsc::Receiver<&str>| async {
            let chunk = Bytes::from(chunks.recv().await?);
            Some((Ok::<_, io::Error>(chunk), chunks))
        });
        async { Response::new(Body::from_stream(chunks)) }
    };
    let serving = Serving::start_with(&[None], Connections::default(), shutdown, answer);
    (serving.await, send)
}

async fn in_phase(serving: &Serving, phase: Phase) {
    soon(serving.phases().reached(phase)).await;
}

/// Waits until no more connections are accepted.
async fn closed(serving: &Serving) {
    soon(async {
        while TcpStream::connect(serving.address()).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn stream_in_flight_finishes() {
    for is_http2 in [false, true] {
        let (serving, send) = streaming(NEVER).await;
        let client = match is_http2 {
            true => Client::http2(serving.address()),
            false => Client::http1(serving.address()),
        };
        let answer = tokio::spawn(async move { client.get("/").await });
        // The channel has one slot: the second chunk is taken after the first was requested.
        send.send("one ").await.unwrap();
        send.send("and ").await.unwrap();
        serving.stop().await;
        closed(&serving).await;
        // Longer than a client that ignores the goodbye may stay.
        sleep(Duration::from_millis(1_500)).await;
        send.send("two").await.unwrap();
        drop(send);
        assert_eq!(soon(answer).await.unwrap().text(), "one and two");
        serving.end().await;
    }
}

/// More than a socket takes at once, in one piece, so the server needs nothing more from its service.
const LONG: usize = 32 << 20;

#[tokio::test]
async fn unread_answer_finishes() {
    for is_http2 in [false, true] {
        let long = async |_| Response::new(Body::from(vec![b'a'; LONG]));
        let serving = Serving::start_with(&[None], Connections::default(), NEVER, long).await;
        let client = match is_http2 {
            true => Client::http2(serving.address()),
            false => Client::http1(serving.address()),
        };
        let response = client
            .open(Request::get("/").body(Body::empty()).unwrap())
            .await;
        serving.stop().await;
        closed(&serving).await;
        let mut body = response.into_body();
        let mut len = 0;
        // Reading takes longer than a client that ignores the goodbye may stay.
        while len < LONG {
            let frame = soon(body.frame()).await.expect("there is more").unwrap();
            len += frame.into_data().unwrap().len();
            sleep(Duration::from_micros(500)).await;
        }
        drop(client);
        serving.end().await;
    }
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_shutdown() {
    let serving = serving(NEVER).await;
    let mut clients = Vec::new();
    for begun in ["", "G", "PRI * HT", "GET / HTTP/1.1\r\nhost:"] {
        let mut client = Wire::connect(serving.address()).await;
        client.send(begun).await;
        clients.push(client);
        let mut client = Wire::connect(serving.address()).await;
        client.send(GET).await;
        client.read_until("answer").await;
        client.send(begun).await;
        clients.push(client);
    }
    // An HTTP/2 client that ignores the goodbye.
    let mut client = Wire::connect(serving.address()).await;
    let begun = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    client.send(begun).await;
    clients.push(client);
    sleep(Duration::from_millis(200)).await;

    serving.stop().await;
    serving.end().await;
}

#[tokio::test]
async fn delay_keeps_serving_while_not_ready() {
    let delay = Duration::from_secs(2);
    let serving = serving(Shutdown { delay, ..NEVER }).await;
    assert!(serving.phases().is_ready());
    let mut kept = Wire::connect(serving.address()).await;
    kept.send(GET).await;
    assert!(!kept.read_head().await.contains("connection: close"));
    kept.read_until("answer").await;

    let begun = Instant::now();
    serving.stop().await;
    in_phase(&serving, Phase::Leaving).await;
    assert!(!serving.phases().is_ready());
    for mut client in [kept, Wire::connect(serving.address()).await] {
        client.send(GET).await;
        let said = client.read_to_end().await;
        assert!(said.starts_with(OK), "{said}");
        assert!(said.contains("connection: close\r\n"), "{said}");
    }
    assert_eq!(Client::http2(serving.address()).get("/").await.status, 200);
    in_phase(&serving, Phase::Draining).await;
    assert!(Instant::now() - begun >= delay);
    serving.end().await;
}

#[tokio::test]
async fn second_stop_ends_the_delay() {
    for delay in [Duration::ZERO, Duration::from_secs(600)] {
        let (serving, send) = streaming(Shutdown { delay, ..NEVER }).await;
        let mut client = Wire::connect(serving.address()).await;
        client.send(GET).await;
        send.send("one").await.unwrap();
        client.read_until("one").await;
        serving.stop().await;
        in_phase(&serving, Phase::Leaving).await;
        serving.stop().await;
        serving.end().await;
        client.read_bytes_to_end().await;
    }
}

#[tokio::test]
async fn deadline_ends_endless_requests() {
    let deadline = Duration::from_millis(300);
    let delay = Duration::ZERO;
    let (serving, send) = streaming(Shutdown { delay, deadline }).await;
    let mut client = Wire::connect(serving.address()).await;
    client.send(GET).await;
    send.send("one").await.unwrap();
    client.read_until("one").await;
    serving.stop().await;
    serving.end().await;
}

/// Switches to the client's protocol and repeats everything twice.
async fn tunnel(mut request: Request<RequestBody>) -> Response<Body> {
    let tunnels = request.extensions().get::<TaskSpawner>().unwrap().clone();
    let upgraded = upgrade::on(&mut request);
    tunnels.spawn(async move {
        let (mut read, mut write) = split(TokioIo::new(upgraded.await.unwrap()));
        let _ = copy(&mut read, &mut write).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
    let echo = HeaderValue::from_static("echo");
    response.headers_mut().insert(UPGRADE, echo);
    response
}

#[tokio::test]
async fn tunnel_counts_as_a_request_in_flight() {
    let connections = Connections {
        max: 1,
        ..Connections::default()
    };
    let serving = Serving::start_with(&[None], connections, NEVER, tunnel).await;
    let ask = "GET / HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    let mut client = Wire::connect(serving.address()).await;
    client.send(ask).await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 101 "));
    let mut second = Wire::connect(serving.address()).await;
    second.send(ask).await;
    client.send("before").await;
    client.read_until("before").await;
    assert!(!second.has_more().await);
    drop(second);

    serving.stop().await;
    closed(&serving).await;
    client.send("after").await;
    client.read_until("after").await;
    drop(client);
    serving.end().await;
}

#[tokio::test]
async fn second_signal_ends_the_process_at_once() {
    let backend = behaving(Behavior::stall()).await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(GET).await;
    soon(backend.handle().wait_for(|stats| stats.received == 1)).await;

    let begun = Instant::now();
    gateway.signal(Signal::TERM);
    gateway
        .wait_for_line(|line| line["message"].as_str().unwrap().starts_with("stopping"))
        .await;
    gateway.signal(Signal::INT);
    let exit = gateway.exit().await;
    assert!(Instant::now() - begun < Duration::from_secs(20));
    assert_eq!(exit.code, Some(0));
    assert!(exit.stderr.contains("requests still under way"), "{exit:?}");
}

#[tokio::test]
async fn incomplete_head_does_not_delay_the_shutdown() {
    let backend = behaving(Behavior::echo()).await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send("GET / HTTP/1.1\r\nhost:").await;
    assert_eq!(gateway.get("/v1/models").await.status, 200);

    let begun = Instant::now();
    assert_eq!(gateway.stop().await.code, Some(0));
    // Less than the timeout of a head.
    assert!(Instant::now() - begun < Duration::from_secs(10));
}

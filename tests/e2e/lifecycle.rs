//! The gateway starts, stops when asked, and finishes requests in flight.

use std::{io, time::Duration};

use rustix::process::Signal;
use spillover_testing::upstream::Behavior;
use spillover_tests::{
    e2e::{ASK, Gateway, Program, Wire, WireUpstream, behaving, healthy, soon},
    for_both_gateways, gateway,
};
use tokio::net::TcpStream;

for_both_gateways!(
    sigterm_lets_a_request_finish,
    sigint_lets_a_request_finish,
    sigterm_lets_a_stream_finish,
    sigterm_lets_a_failover_finish,
    idle_gateway_stops_at_once_and_says_so,
    client_that_is_gone_does_not_hold_the_end_up,
);

/// Waits until the gateway accepts no new connections.
async fn closed(gateway: &Gateway) {
    let refused = async {
        loop {
            match TcpStream::connect(gateway.address()).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    soon(refused).await;
}

/// Stops the gateway while a backend has a request, which is then answered.
async fn assert_request_finished(program: Program, signal: Signal) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let (mut client, mut server) = backend.begin(gateway.address()).await;

    gateway.signal(signal);
    closed(&gateway).await;
    server
        .send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer")
        .await;

    assert!(client.read_head().await.starts_with("HTTP/1.1 200 "));
    // The connection is closed after this request.
    assert_eq!(client.read_to_end().await, "answer");
    let exit = gateway.exit().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    if program.is_production() {
        assert!(exit.stderr.contains(r#""end":"complete""#), "{exit:?}");
    }
}

async fn sigterm_lets_a_request_finish(program: Program) {
    assert_request_finished(program, Signal::TERM).await;
}

async fn sigint_lets_a_request_finish(program: Program) {
    assert_request_finished(program, Signal::INT).await;
}

async fn sigterm_lets_a_stream_finish(program: Program) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let (mut client, mut server) = backend.begin_stream(gateway.address()).await;

    gateway.signal(Signal::TERM);
    closed(&gateway).await;
    server.send("B\r\ndata: two\n\n\r\n").await;
    client.read_until("data: two\n\n").await;
    server.send("0\r\n\r\n").await;

    assert_eq!(client.read_to_end().await, "\r\n0\r\n\r\n");
    assert_eq!(gateway.exit().await.code, Some(0));
}

async fn sigterm_lets_a_failover_finish(program: Program) {
    let throttling = WireUpstream::bind().await;
    let next = healthy().await;
    let gateway = program
        .gateway()
        .backend("first", 1, throttling.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    let (mut client, mut server) = throttling.begin(gateway.address()).await;

    gateway.signal(Signal::TERM);
    closed(&gateway).await;
    server
        .send("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n")
        .await;

    let head = client.read_head().await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("x-spillover-backend: next\r\n"),
        "{head}"
    );
    assert_eq!(gateway.exit().await.code, Some(0));
}

async fn idle_gateway_stops_at_once_and_says_so(program: Program) {
    let backend = healthy().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    // Kept connections, and one without any request, do not delay the shutdown.
    let http2 = gateway.http2();
    assert_eq!(gateway.get("/v1/models").await.status, 200);
    assert_eq!(http2.get("/v1/models").await.status, 200);
    let _unused = Wire::connect(gateway.address()).await;

    let exit = gateway.stop().await;
    assert_eq!(exit.code, Some(0));
    assert_eq!(exit.stdout, "");
    if program.is_production() {
        let last = exit.stderr.lines().last().unwrap();
        let last: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["message"], "stopped");
    }
}

async fn client_that_is_gone_does_not_hold_the_end_up(program: Program) {
    let backend = behaving(Behavior::stall()).await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(ASK).await;
    soon(backend.handle().wait_for(|stats| stats.received == 1)).await;

    gateway.signal(Signal::TERM);
    closed(&gateway).await;
    drop(client);
    assert_eq!(gateway.exit().await.code, Some(0));
}

#[tokio::test]
async fn port_in_use_is_reported() {
    let taken = WireUpstream::bind().await;
    let address = taken.url().replace("http://", "");
    let exit = gateway!()
        .backend("only", 1, "http://127.0.0.1:9")
        .env("LISTEN", &address)
        .run()
        .await;
    assert_eq!(exit.code, Some(1));
    let said = format!("spillover: cannot listen on {address}: ");
    assert!(exit.stderr.contains(&said), "{}", exit.stderr);
}

#[tokio::test]
async fn demo_shows_traffic_without_an_error() {
    let exit = gateway!().without("LISTEN").args(["demo"]).run().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let account = &exit.stdout;
    assert!(
        account.contains(" requests answered, 0 errors."),
        "{account}"
    );
    // Each backend got a share, and the best one was at its limit.
    for label in ["ptu", "sweden", "france"] {
        let said = |line: &&str| line.trim_start().starts_with(label) && line.contains(" served ");
        let line = account.lines().find(said).expect(account);
        assert!(!line.contains(" served    0,"), "{line}");
        assert!(label != "ptu" || !line.contains(" 429   0 times"), "{line}");
    }
}

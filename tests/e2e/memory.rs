//! The gateway's memory stays flat, however much passes through.

#![cfg(target_os = "linux")]

use http_body_util::BodyExt;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Gateway, Program, WireUpstream, behaving, request, soon},
    for_both_gateways,
};

for_both_gateways!(
    fifty_mebibytes_of_an_answer_leave_it_flat,
    long_stream_of_events_leaves_it_flat,
    client_that_does_not_read_holds_the_backend_back,
);

const MIB: usize = 1 << 20;

async fn in_front_of(program: Program, backend: &MockUpstream) -> Gateway {
    program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await
}

/// Reads the whole answer without keeping it, and returns its size.
async fn read_through(gateway: &Gateway) -> usize {
    let mut answer = gateway
        .open(request("POST", "/v1/chat/completions", "{}"))
        .await;
    let mut size = 0;
    while let Some(frame) = soon(answer.frame()).await {
        size += frame
            .expect("the whole body")
            .into_data()
            .map_or(0, |data| data.len());
    }
    size
}

/// Returns the rise of the gateway's peak memory since `before`, in bytes.
fn risen(gateway: &Gateway, before: u64) -> usize {
    // The kernel counts roughly: a later peak can be a little lower.
    let kib = gateway.peak_memory().saturating_sub(before);
    usize::try_from(kib).expect("a number of KiB") * 1_024
}

async fn fifty_mebibytes_of_an_answer_leave_it_flat(program: Program) {
    let backend = behaving(Behavior::large(MIB)).await;
    let gateway = in_front_of(program, &backend).await;
    assert_eq!(read_through(&gateway).await, MIB);
    let warm = gateway.peak_memory();

    backend.handle().set_behavior(Behavior::large(50 * MIB));
    assert_eq!(read_through(&gateway).await, 50 * MIB);
    let risen = risen(&gateway, warm);
    assert!(risen < 8 * MIB, "{risen} bytes more");
}

async fn long_stream_of_events_leaves_it_flat(program: Program) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let events = async |count: usize| {
        let served = tokio::join!(read_through(&gateway), stream(&backend, count));
        served.0
    };
    assert_eq!(events(1_000).await, 1_000 * EVENT.len());
    let warm = gateway.peak_memory();

    // As many as come in ten minutes, at a hundred a second.
    let size = events(60_000).await;
    assert_eq!(size, 60_000 * EVENT.len());
    let risen = risen(&gateway, warm);
    assert!(risen < size / 4, "{risen} bytes more, for {size}");
}

/// Answers the next request with this many events, each sent by itself.
async fn stream(backend: &WireUpstream, events: usize) {
    let mut server = backend.accept().await;
    server.read_head().await;
    server
        .send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let chunk = format!("{:x}\r\n{EVENT}\r\n", EVENT.len());
    for _ in 0..events {
        server.send(&chunk).await;
    }
    server.send("0\r\n\r\n").await;
}

const EVENT: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
    \"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"tick \"},\"finish_reason\":null}]}\n\n";

async fn client_that_does_not_read_holds_the_backend_back(program: Program) {
    let backend = behaving(Behavior::large(5 * MIB)).await;
    let gateway = in_front_of(program, &backend).await;
    read_through(&gateway).await;
    let warm = gateway.peak_memory();

    backend.handle().push(Behavior::large(50 * MIB));
    let mut unread = gateway
        .open(request("POST", "/v1/chat/completions", "{}"))
        .await;
    // Traffic of other clients gives the gateway time to buffer all of it.
    for _ in 0..10 {
        read_through(&gateway).await;
    }
    let risen = risen(&gateway, warm);
    assert!(risen < 16 * MIB, "{risen} bytes more");
    assert_eq!(
        backend.handle().stats().in_flight,
        1,
        "it has not been able to send all"
    );

    let mut size = 0;
    while let Some(frame) = soon(unread.frame()).await {
        size += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(size, 50 * MIB);
}

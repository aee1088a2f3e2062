use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::ScriptedBody;

#[tokio::test]
async fn behaviors_are_used_in_order() {
    let upstream = MockUpstream::builder().name("east").start().await.unwrap();
    let handle = upstream.handle();
    handle.set_behavior(Behavior::status(204));
    let busy = Response::builder().status(503).header("retry-after", "2");
    handle.push(busy.body("busy").unwrap());
    handle.push(Behavior::api());

    let caller = Caller::new(&upstream);
    let busy = caller.chat(hello()).await;
    assert_eq!((busy.status.as_u16(), &busy.body[..]), (503, &b"busy"[..]));
    assert_eq!(busy.headers["retry-after"], "2");
    assert_eq!(busy.headers["x-upstream"], "east");
    assert_eq!(caller.chat(hello()).await.status, 200);
    assert_eq!(caller.chat(hello()).await.status, 204);

    let stats = handle.stats();
    assert_eq!((stats.served, stats.failed, stats.cancelled), (2, 1, 0));
    assert_eq!(stats.connections, 1);
}

#[tokio::test]
async fn latest_requests_are_recorded() {
    let upstream = MockUpstream::builder().recorded(2).start().await.unwrap();
    let before = Instant::now();
    let caller = Caller::new(&upstream);
    for path in ["/one", "/two?x=1", "/three"] {
        caller.post(path, "body").await;
    }
    let requests = upstream.handle().requests();
    let paths: Vec<_> = requests
        .iter()
        .map(RecordedRequest::path_and_query)
        .collect();
    assert_eq!(paths, ["/two?x=1", "/three"]);
    let last = upstream.handle().last_request().unwrap();
    assert_eq!(
        (last.method.as_str(), &last.body[..]),
        ("POST", &b"body"[..])
    );
    assert_eq!(last.headers["content-length"], "4");
    assert!(last.at >= before);
}

#[tokio::test]
async fn delayed_response_begins_after_the_delay() {
    let upstream = upstream().await;
    let delay = Duration::from_millis(5);
    upstream.handle().push(Behavior::status(200).after(delay));
    let before = Instant::now();
    Caller::new(&upstream).post("/", "").await;
    assert!(Instant::now() - before >= delay);
}

#[tokio::test]
async fn stalled_request_counts_as_cancelled_when_the_client_leaves() {
    let upstream = upstream().await;
    upstream.handle().set_behavior(Behavior::stall());
    for (n, caller) in [Caller::new(&upstream), Caller::http2(&upstream)]
        .iter()
        .enumerate()
    {
        let n = n as u64;
        tokio::select! {
            _ = caller.post("/", "") => unreachable!("the upstream stalls"),
            _ = upstream.handle().wait_for(|stats| stats.received == n + 1) => {}
        }
        let stats = upstream
            .handle()
            .wait_for(|stats| stats.cancelled == n + 1)
            .await;
        assert_eq!((stats.in_flight, stats.served), (0, 0));
    }
}

#[tokio::test]
async fn abandoned_stream_counts_as_cancelled() {
    let upstream = upstream().await;
    let hour = Duration::from_secs(3_600);
    upstream
        .handle()
        .set_behavior(Behavior::slow_stream(2, hour));
    for (n, caller) in [Caller::new(&upstream), Caller::http2(&upstream)]
        .iter()
        .enumerate()
    {
        let mut response = caller.send("/", "").await.unwrap();
        let first = response
            .frame()
            .await
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap();
        assert!(first.starts_with(b"data: {"));
        assert_eq!(upstream.handle().stats().cancelled, n as u64);
        drop(response);
        let stats = upstream
            .handle()
            .wait_for(|stats| stats.in_flight == 0)
            .await;
        assert_eq!(
            (stats.served, stats.cancelled),
            (n as u64 + 1, n as u64 + 1)
        );
    }
}

#[tokio::test]
async fn slow_stream_waits_between_its_events() {
    let upstream = upstream().await;
    upstream
        .handle()
        .push(Behavior::slow_stream(3, Duration::from_millis(1)));
    let before = Instant::now();
    let answer = Caller::new(&upstream).post("/", "").await;
    assert!(Instant::now() - before >= Duration::from_millis(3));
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert_eq!(text.matches("data: ").count(), 4);
    assert!(text.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn echo_returns_the_request() {
    let upstream = upstream().await;
    upstream.handle().set_behavior(Behavior::echo());
    let echo = Caller::new(&upstream).post("/a?b=c", "body").await;
    assert_eq!(echo.body, "body");
    assert_eq!(echo.headers["x-echo-method"], "POST");
    assert_eq!(echo.headers["x-echo-path"], "/a?b=c");
    assert_eq!(echo.headers["x-echo-version"], "HTTP/1.1");
    assert_eq!(echo.headers["x-echo-content-length"], "4");
    assert!(!echo.headers.contains_key("x-echo-transfer-encoding"));

    let chunked = body_to(&upstream, ScriptedBody::new().data("one ").data("two"));
    let echo = answer(client(false).request(chunked).await.unwrap()).await;
    assert_eq!(echo.body, "one two");
    assert_eq!(echo.headers["x-echo-transfer-encoding"], "chunked");
    assert!(!echo.headers.contains_key("x-echo-content-length"));
}

#[tokio::test]
async fn large_body_has_the_given_size() {
    let upstream = upstream().await;
    for caller in [Caller::new(&upstream), Caller::http2(&upstream)] {
        upstream.handle().push(Behavior::large(1_000_000));
        let answer = caller.post("/", "").await;
        assert_eq!(answer.body.len(), 1_000_000);
        assert!(!answer.headers.contains_key("content-length"));
    }
    assert_eq!(upstream.handle().stats().cancelled, 0);
}

#[tokio::test]
async fn response_to_head_request_does_not_count_as_cancelled() {
    let upstream = upstream().await;
    upstream.handle().push(Behavior::large(10));
    let request = Request::head(upstream.url()).body(Full::default()).unwrap();
    answer(Caller::new(&upstream).http.request(request).await.unwrap()).await;
    let stats = upstream.handle().stats();
    assert_eq!((stats.served, stats.cancelled, stats.in_flight), (1, 0, 0));
}

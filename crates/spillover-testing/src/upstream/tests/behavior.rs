use std::{error::Error as _, time::Duration};

use tokio::time::{Instant, timeout};

use super::*;
use crate::ScriptedBody;

#[tokio::test]
async fn responds_as_told_in_order() {
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
async fn requests_are_recorded() {
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
async fn a_delayed_answer_comes_late() {
    let upstream = upstream().await;
    let delay = Duration::from_millis(5);
    upstream.handle().push(Behavior::status(200).after(delay));
    let before = Instant::now();
    Caller::new(&upstream).post("/", "").await;
    assert!(Instant::now() - before >= delay);
}

#[tokio::test]
async fn a_stalled_request_is_cancelled_by_its_client() {
    let upstream = upstream().await;
    upstream.handle().set_behavior(Behavior::stall());
    for (n, caller) in [Caller::new(&upstream), Caller::http2(&upstream)]
        .iter()
        .enumerate()
    {
        let n = n as u64;
        tokio::select! {
            _ = caller.post("/", "") => unreachable!("it stalls"),
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
async fn an_abandoned_stream_is_cancelled() {
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
async fn a_slow_stream_takes_its_time() {
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
async fn a_reset_connection() {
    let upstream = upstream().await;
    for caller in [Caller::new(&upstream), Caller::http2(&upstream)] {
        upstream.handle().push(Behavior::reset());
        let error = caller.send("/", "").await.unwrap_err();
        assert!(is_reset(&error), "{error:?}");
        assert_eq!(caller.post("/v1/chat/completions", "").await.status, 400);
    }
    let stats = upstream
        .handle()
        .wait_for(|stats| stats.in_flight == 0)
        .await;
    assert_eq!(stats.cancelled, 0);
}

#[tokio::test]
async fn a_cut_head() {
    let upstream = upstream().await;
    upstream.handle().push(Behavior::cut_head());
    let error = Caller::new(&upstream).send("/", "").await.unwrap_err();
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<hyper::Error>());
    assert!(cause.unwrap().is_incomplete_message(), "{error:?}");
}

#[tokio::test]
async fn a_reset_mid_body() {
    let upstream = upstream().await;
    for caller in [Caller::new(&upstream), Caller::http2(&upstream)] {
        for bytes in [0, 1, 20_000] {
            upstream.handle().push(Behavior::reset_mid_body(bytes));
            let mut response = caller.send("/", "").await.unwrap();
            assert_eq!(response.status(), 200);
            let mut seen = 0;
            let error = loop {
                match response.frame().await.expect("no regular end") {
                    Ok(frame) => seen += frame.into_data().unwrap().len(),
                    Err(error) => break error,
                }
            };
            assert!(is_reset(&error), "{error:?}");
            assert_eq!(seen, bytes);
        }
    }
    let stats = upstream
        .handle()
        .wait_for(|stats| stats.in_flight == 0)
        .await;
    assert_eq!(stats.cancelled, 0);
}

fn is_reset(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionReset)
        || error.source().is_some_and(is_reset)
}

#[tokio::test]
async fn echoes() {
    let upstream = upstream().await;
    upstream.handle().set_behavior(Behavior::echo());
    let echo = Caller::new(&upstream).post("/a?b=c", "body").await;
    assert_eq!(echo.body, "body");
    assert_eq!(echo.headers["x-echo-method"], "POST");
    assert_eq!(echo.headers["x-echo-path"], "/a?b=c");
    assert_eq!(echo.headers["x-echo-version"], "HTTP/1.1");
    assert_eq!(echo.headers["x-echo-content-length"], "4");
    assert!(!echo.headers.contains_key("x-echo-transfer-encoding"));

    let client = Client::builder(TokioExecutor::new()).build_http();
    let chunked = Request::post(upstream.url()).body(ScriptedBody::new().data("one ").data("two"));
    let echo = answer(client.request(chunked.unwrap()).await.unwrap()).await;
    assert_eq!(echo.body, "one two");
    assert_eq!(echo.headers["x-echo-transfer-encoding"], "chunked");
    assert!(!echo.headers.contains_key("x-echo-content-length"));
}

#[tokio::test]
async fn a_large_body() {
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
async fn an_early_answer_comes_before_the_body() {
    let upstream = upstream().await;
    for http2 in [false, true] {
        for behavior in [
            Behavior::status(200).early(),
            Behavior::status(200).early_unread(),
        ] {
            upstream.handle().push(behavior);
            let body = ScriptedBody::new().data("some").pause();
            let sender = body.handle();
            let client = Client::builder(TokioExecutor::new())
                .http2_only(http2)
                .build_http();
            let request = Request::post(upstream.url()).body(body).unwrap();
            let response = timeout(Duration::from_secs(5), client.request(request)).await;
            assert_eq!(response.unwrap().unwrap().status(), 200);
            eprintln!("{http2} {}", sender.is_dropped());
            assert_eq!(upstream.handle().last_request().unwrap().body, "");
        }
    }
}

#[tokio::test]
async fn an_early_answer_reads_the_body_afterwards() {
    let upstream = upstream().await;
    upstream.handle().push(Behavior::status(200).early());
    let body = ScriptedBody::new().pause().data(vec![0; 1_000_000]);
    let sender = body.handle();
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let request = Request::post(upstream.url()).body(body).unwrap();
    let response = client.request(request).await.unwrap();
    assert!(!sender.is_dropped());
    sender.resume();
    drop(response);
    let gone = async {
        while !sender.is_dropped() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.unwrap();
}

#[tokio::test]
async fn the_answer_to_head_is_not_cancelled() {
    let upstream = upstream().await;
    upstream.handle().push(Behavior::large(10));
    let request = Request::head(upstream.url()).body(Full::default()).unwrap();
    answer(Caller::new(&upstream).http.request(request).await.unwrap()).await;
    let stats = upstream.handle().stats();
    assert_eq!((stats.served, stats.cancelled, stats.in_flight), (1, 0, 0));
}

//! Connections to backends that end: an unprocessed request is sent to the same backend once more, and the backend does
//! not count as failing.

use futures_util::future::join_all;
use http::Version;
use serde_json::Value;
use spillover_tests::{
    e2e::{
        Arrived, Client, EndingUpstream, Files, Gateway, Reaction, WebSocket, WebSocketUpstream,
        backend, healthy, pool, request,
    },
    gateway,
};

/// Ends each connection in this way at its second request.
fn second(end: Reaction) -> impl Fn(Arrived) -> Reaction + Clone + Send + 'static {
    move |arrived| match arrived.request {
        1 => Reaction::Answer,
        _ => end,
    }
}

/// A gateway in front of one backend, with an optional healthy one in the next tier.
struct Setup {
    gateway: Gateway,
    admin: Client,
    _spill: spillover_testing::MockUpstream,
}

async fn in_front_of(upstream: &EndingUpstream, rest: &str, has_spill: bool) -> Setup {
    let spill = healthy().await;
    let mut text = format!(
        "admin.address = \"127.0.0.1:0\"\n[[listeners]]\naddress = \"127.0.0.1:0\"\n{}{}",
        pool("p", "[pools.timeouts]\nresponse_head = \"10s\""),
        backend("first", &upstream.url(), rest),
    );
    if has_spill {
        text += &backend("spill", &spill.url(), "priority = 2");
    }
    let gateway = gateway!().without("LISTEN").config(&text).start().await;
    Setup {
        admin: gateway.admin().await,
        gateway,
        _spill: spill,
    }
}

impl Setup {
    /// Sends requests one after the other. Returns status and backend of each.
    async fn ask(&self, method: &str, count: usize) -> Vec<(u16, String)> {
        let mut answers = Vec::new();
        for _ in 0..count {
            let body = if method == "GET" { "" } else { "{}" };
            let answer = self.gateway.send(request(method, "/v1/x", body)).await;
            answers.push((answer.status, answer.backend().to_owned()));
        }
        answers
    }

    async fn attempts(&self, backend: usize) -> Value {
        let status = self.admin.get("/status").await.json();
        status["pools"][0]["backends"][backend]["attempts"].clone()
    }

    async fn closed(&self, requests: usize) -> usize {
        self.gateway.wait_for_closed(requests).await.len()
    }
}

#[tokio::test]
async fn keep_alive_race_loses_no_request() {
    for end in [Reaction::Close, Reaction::Reset] {
        for (method, has_spill) in [
            ("GET", false),
            ("POST", false),
            ("GET", true),
            ("POST", true),
        ] {
            let upstream = EndingUpstream::http1(second(end)).await;
            let setup = in_front_of(&upstream, "", has_spill).await;
            let answers = setup.ask(method, 8).await;
            assert_eq!(answers, vec![(200, "first".into()); 8], "{end:?} {method}");
            assert_eq!(setup.closed(8).await, 0);

            // Each kept connection lost one request.
            let attempts = setup.attempts(0).await;
            assert_eq!(attempts["answered"], 8);
            assert_eq!(attempts["failed"], 0);
            assert_eq!(attempts["unprocessed"], attempts["resent"]);
            let unprocessed = attempts["unprocessed"].as_u64().expect("a number");
            assert!((1..=7).contains(&unprocessed), "{attempts}");
            let lines = setup.gateway.wait_for_requests(8).await;
            let twice = lines.iter().filter(|line| line["attempts"] == 2);
            assert_eq!(twice.count() as u64, unprocessed);
        }
    }
}

/// The permit is released before it is acquired again.
#[tokio::test]
async fn backend_with_one_permit_gets_the_request_once_more() {
    for has_spill in [false, true] {
        let upstream = EndingUpstream::http1(second(Reaction::Close)).await;
        let setup = in_front_of(&upstream, "max_concurrency = 1", has_spill).await;
        let answers = setup.ask("POST", 4).await;
        assert_eq!(answers, vec![(200, "first".into()); 4]);
    }
}

#[tokio::test]
async fn metrics_count_unprocessed_attempts() {
    let upstream = EndingUpstream::http1(second(Reaction::Close)).await;
    let setup = in_front_of(&upstream, "", false).await;
    setup.ask("POST", 2).await;
    let metrics = setup.admin.get("/metrics").await;
    for line in [
        r#"spillover_attempts_total{pool="p",backend="first",outcome="unprocessed"} 1"#,
        r#"spillover_attempts_total{pool="p",backend="first",outcome="answered"} 2"#,
        r#"spillover_resends_total{pool="p",backend="first"} 1"#,
    ] {
        assert!(metrics.text().contains(line), "{line}: {}", metrics.text());
    }
}

#[tokio::test]
async fn end_of_a_new_connection_is_a_failure_at_once() {
    for end in [Reaction::Close, Reaction::Reset] {
        let upstream = EndingUpstream::http1(move |_| end).await;
        let setup = in_front_of(&upstream, "", true).await;
        let answers = setup.ask("POST", 2).await;
        assert_eq!(answers, vec![(200, "spill".into()); 2], "{end:?}");
        assert_eq!(upstream.requests(), 1);
        assert_eq!(setup.closed(2).await, 1);
    }
}

#[tokio::test]
async fn truncated_answer_is_a_failure() {
    let upstream = EndingUpstream::http1(second(Reaction::Torn)).await;
    let setup = in_front_of(&upstream, "", true).await;
    let answers = setup.ask("POST", 2).await;
    assert_eq!(answers, [(200, "first".into()), (200, "spill".into())]);
    assert_eq!(upstream.requests(), 2);
    assert_eq!(setup.closed(2).await, 1);
}

#[tokio::test]
async fn second_end_of_a_request_is_a_failure() {
    for (has_spill, last, attempts) in [(true, (200, "spill"), 3), (false, (502, "first"), 2)] {
        // The first connection serves one request, the others none.
        let upstream = EndingUpstream::http1(|arrived| match arrived {
            Arrived {
                connection: 1,
                request: 1,
            } => Reaction::Answer,
            _ => Reaction::Close,
        });
        let upstream = upstream.await;
        let setup = in_front_of(&upstream, "", has_spill).await;
        let answers = setup.ask("POST", 2).await;
        let last = (last.0, last.1.to_owned());
        assert_eq!(answers, [(200, "first".into()), last]);
        assert_eq!((upstream.connections(), upstream.requests()), (2, 3));
        assert_eq!(setup.closed(2).await, 1);
        let lines = setup.gateway.wait_for_requests(2).await;
        assert_eq!(lines[1]["attempts"], attempts);
    }
}

#[tokio::test]
async fn upload_that_was_not_kept_fails_without_closing_the_backend() {
    let upstream = EndingUpstream::http1(second(Reaction::Close)).await;
    let text = format!(
        "[[listeners]]\naddress = \"127.0.0.1:0\"\n{}{}",
        pool("p", "limits.replay = 1000"),
        backend("first", &upstream.url(), ""),
    );
    let gateway = gateway!().without("LISTEN").config(&text).start().await;
    assert_eq!(gateway.post("/v1/x", "{}").await.status, 200);
    assert_eq!(gateway.post("/v1/x", vec![b'x'; 2_000]).await.status, 502);
    assert_eq!(gateway.wait_for_closed(2).await.len(), 0);
    assert_eq!(gateway.post("/v1/x", "{}").await.status, 200);
}

#[tokio::test]
async fn unprocessed_streams_go_to_the_same_backend() {
    for end in [Reaction::GoAway, Reaction::Refuse] {
        for has_spill in [false, true] {
            let upstream = EndingUpstream::http2(move |arrived| match arrived.request % 10 {
                0 => end,
                _ => Reaction::Answer,
            });
            let upstream = upstream.await;
            let setup = in_front_of(&upstream, "protocol = \"http2\"", has_spill).await;
            let clients = (0..8).map(|_| setup.ask("POST", 25));
            let answers: Vec<_> = join_all(clients).await.into_iter().flatten().collect();
            assert_eq!(answers, vec![(200, "first".into()); 200], "{end:?}");
            assert_eq!(setup.closed(200).await, 0);
            let attempts = setup.attempts(0).await;
            assert_eq!(attempts["answered"], 200);
            assert_eq!(attempts["unprocessed"], attempts["resent"]);
            assert_ne!(attempts["unprocessed"], 0);
        }
    }
}

#[tokio::test]
async fn kept_http_2_connection_that_ends_loses_no_request() {
    for end in [Reaction::Close, Reaction::Reset] {
        let upstream = EndingUpstream::http2(second(end)).await;
        let setup = in_front_of(&upstream, "http2 = true", true).await;
        let answers = setup.ask("POST", 8).await;
        assert_eq!(answers, vec![(200, "first".into()); 8], "{end:?}");
        assert_eq!(setup.closed(8).await, 0);
    }
}

#[tokio::test]
async fn server_that_refuses_every_stream_is_called_twice() {
    for end in [Reaction::GoAway, Reaction::Refuse] {
        for (has_spill, expected) in [(true, (200, "spill")), (false, (502, "first"))] {
            let upstream = EndingUpstream::http2(move |_| end).await;
            let setup = in_front_of(&upstream, "protocol = \"http2\"", has_spill).await;
            let answers = setup.ask("POST", 1).await;
            assert_eq!(answers, [(expected.0, expected.1.to_owned())], "{end:?}");
            assert_eq!(upstream.requests(), 2);
            assert_eq!(setup.closed(1).await, 1);
        }
    }
}

/// Otherwise the first sixty would be sent before the server states its limit.
#[tokio::test]
async fn burst_at_the_start_is_not_refused() {
    let upstream = EndingUpstream::http2(|_| Reaction::Answer).await;
    let setup = in_front_of(&upstream, "protocol = \"http2\"", false).await;
    let client = setup.gateway.http2();
    let asking = (0..60).map(|_| client.post("/v1/x", "{}"));
    let answers = join_all(asking).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn websocket_has_its_own_connection() {
    let echo = WebSocketUpstream::start().await;
    let gateway = gateway!().backend("only", 1, echo.url()).start().await;
    let answer = gateway.get("/v1/models").await;
    assert_eq!((answer.status, answer.version), (200, Version::HTTP_11));
    let mut socket = WebSocket::open(&gateway, "/v1/realtime").await;
    socket.ask("hello").await;
}

#[tokio::test]
async fn protocol_is_one_of_three() {
    let files = Files::new();
    let text = format!(
        "{}{}",
        pool("p", ""),
        backend("a", "http://a.example", "protocol = \"h3\"")
    );
    let exit = gateway!().config_beside(files, &text).run().await;
    assert_eq!(exit.code, Some(2));
    assert!(
        exit.stderr
            .contains("protocol: expected \"auto\", \"http1\" or \"http2\""),
        "{}",
        exit.stderr
    );
}

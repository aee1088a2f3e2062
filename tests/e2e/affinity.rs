//! Affinity as clients see it.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, Response};
use spillover_testing::MockUpstream;
use spillover_tests::{
    e2e::{
        Gateway, GatewayBuilder, answer, backend, behaving, eventually, healthy, json, pool,
        request, with,
    },
    gateway,
};

const CHAT: &str = "/v1/chat/completions";
const LABELS: [&str; 3] = ["a", "b", "c"];

/// Three backends that share the load, with this affinity.
struct Shared {
    config: String,
    backends: Vec<MockUpstream>,
}

impl Shared {
    async fn new(affinity: &str) -> Self {
        let mut config = pool(
            "only",
            &format!("when_exhausted = \"reject\"\naffinity = {affinity}"),
        );
        let mut backends = Vec::new();
        for label in LABELS {
            let mock = healthy().await;
            config += &backend(label, &mock.url(), "");
            backends.push(mock);
        }
        Self { config, backends }
    }

    fn gateway(&self) -> GatewayBuilder {
        gateway!().config(&self.config)
    }

    fn of(&self, label: &str) -> &MockUpstream {
        let index = LABELS.iter().position(|other| *other == label);
        &self.backends[index.expect("one of them")]
    }
}

async fn home_of(gateway: &Gateway, request: Request<Body>) -> String {
    let answer = gateway.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.backend().to_owned()
}

/// Checks that requests of one key go to one backend, and those of many keys to all of them.
async fn assert_keeps_together(gateway: &Gateway, by: impl Fn(&str) -> Request<Body>) {
    let mut homes = BTreeSet::new();
    for key in 0..12 {
        let key = format!("session {key}");
        let home = home_of(gateway, by(&key)).await;
        for _ in 0..3 {
            assert_eq!(home_of(gateway, by(&key)).await, home, "{key}");
        }
        homes.insert(home);
    }
    assert_eq!(homes.len(), 3, "{homes:?}");
}

fn by_header(key: &str) -> Request<Body> {
    with(json(CHAT, "{}"), "x-session", key)
}

#[tokio::test]
async fn header_keeps_requests_at_one_backend() {
    let shared = Shared::new(r#"{ keys = [{ header = "x-session" }] }"#).await;
    let gateway = shared.gateway().start().await;
    assert_keeps_together(&gateway, by_header).await;
}

#[tokio::test]
async fn body_field_keeps_requests_at_one_backend() {
    let shared = Shared::new(r#"{ keys = [{ body = "user" }] }"#).await;
    let gateway = shared.gateway().start().await;
    assert_keeps_together(&gateway, |key| {
        json(
            CHAT,
            format!(r#"{{"model":"m","messages":[{{"user":"x"}}],"user":"{key}"}}"#),
        )
    })
    .await;
    let by_path = |key: &str| {
        let body = format!(r#"{{"user":"{key}"}}"#);
        json("/openai/deployments/d/chat/completions", body)
    };
    assert_keeps_together(&gateway, by_path).await;
}

#[tokio::test]
async fn cookie_is_set_once_and_keeps_requests_at_one_backend() {
    let shared = Shared::new(r#"{ keys = [{ cookie = "home" }] }"#).await;
    let gateway = shared.gateway().start().await;
    let mut homes = BTreeSet::new();
    eventually(async || {
        let first = gateway.send(json(CHAT, "{}")).await;
        let field = first.header("set-cookie").unwrap();
        assert!(
            field.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
            "{field}"
        );
        let (pair, _) = field.split_once(';').unwrap();
        for _ in 0..3 {
            let request = with(json(CHAT, "{}"), "cookie", &format!("x=1; {pair}"));
            let answer = gateway.send(request).await;
            assert_eq!(answer.backend(), first.backend());
            assert_eq!(answer.header("set-cookie"), None);
        }
        homes.insert(first.backend().to_owned());
        homes.len() == 3
    })
    .await;
}

#[tokio::test]
async fn first_present_key_decides() {
    let keys = r#"{ keys = [{ header = "x-session" }, { body = "user" }] }"#;
    let shared = Shared::new(keys).await;
    let gateway = shared.gateway().start().await;
    let body = r#"{"user":"u"}"#;
    for key in ["1", "2", "3", "4", "5", "6"] {
        let by_header = home_of(&gateway, by_header(key)).await;
        let both = with(json(CHAT, body), "x-session", key);
        assert_eq!(home_of(&gateway, both).await, by_header);
    }
}

#[tokio::test]
async fn key_spills_while_its_backend_is_closed_and_returns() {
    let shared = Shared::new(r#"{ keys = [{ header = "x-session" }] }"#).await;
    let gateway = shared.gateway().start().await;
    let home = home_of(&gateway, by_header("s")).await;
    let handle = shared.of(&home).handle();
    handle.push(answer(429, &[("retry-after-ms", "700")]));
    let away = home_of(&gateway, by_header("s")).await;
    assert_ne!(away, home);
    assert_eq!(home_of(&gateway, by_header("s")).await, away);
    eventually(async || home_of(&gateway, by_header("s")).await == home).await;
}

#[tokio::test]
async fn pinned_request_never_spills() {
    let affinity = r#"{ keys = [{ header = "x-session" }], pinned = true }"#;
    let shared = Shared::new(affinity).await;
    let gateway = shared.gateway().start().await;
    let home = home_of(&gateway, by_header("s")).await;
    let handle = shared.of(&home).handle();
    let received = || -> u64 {
        let received = |mock: &MockUpstream| mock.handle().stats().received;
        shared.backends.iter().map(received).sum()
    };
    let before = received();
    handle.push(answer(429, &[("retry-after", "20")]));
    for _ in 0..2 {
        let refused = gateway.send(by_header("s")).await;
        assert_eq!(refused.status, 429);
        assert_eq!(refused.header("retry-after"), Some("20"));
    }
    assert_eq!(received() - before, 1);
    // Other requests use the backends that are left.
    assert_ne!(home_of(&gateway, json(CHAT, "{}")).await, home);
}

#[tokio::test]
async fn instances_agree_also_after_a_restart() {
    let shared = Shared::new(r#"{ keys = [{ header = "x-session" }] }"#).await;
    let gateways = [
        shared.gateway().start().await,
        shared.gateway().start().await,
    ];
    for key in 0..20 {
        let key = format!("session {key}");
        let home = home_of(&gateways[0], by_header(&key)).await;
        assert_eq!(home_of(&gateways[1], by_header(&key)).await, home, "{key}");
    }
}

#[tokio::test]
async fn ids_lead_to_the_backend_that_made_them() {
    let shared = Shared::new(r#"{ keys = ["id"], pinned = true }"#).await;
    for (label, mock) in LABELS.iter().zip(&shared.backends) {
        let made = format!(r#"{{"object":"file","id":"file-{label}"}}"#);
        mock.handle().set_behavior(Response::new(made));
    }
    let gateway = shared.gateway().start().await;
    // Until each backend has made one.
    let mut made = BTreeSet::new();
    eventually(async || {
        let compressed = with(json("/v1/files", "{}"), "accept-encoding", "gzip");
        made.insert(home_of(&gateway, compressed).await);
        made.len() == 3
    })
    .await;
    let plain = shared.backends[0].handle().last_request().unwrap();
    assert_eq!(plain.headers["accept-encoding"], "identity");
    for label in LABELS {
        for _ in 0..4 {
            let file = request(
                "GET",
                &format!("/v1/files/file-{label}/content"),
                Body::empty(),
            );
            assert_eq!(home_of(&gateway, file).await, label);
            let body = format!(r#"{{"input_file_id":"file-{label}"}}"#);
            assert_eq!(home_of(&gateway, json("/v1/batches", body)).await, label);
        }
    }
}

#[tokio::test]
async fn ids_are_read_from_streams_too() {
    let event = |label: &str| {
        let text = format!(
            "event: response.created\ndata: {{\"response\":{{\"id\":\"resp_{label}\"}}}}\n\n"
        );
        let response = Response::builder().header("content-type", "text/event-stream");
        response.body(text).unwrap()
    };
    let (a, b) = (behaving(event("a")).await, behaving(event("b")).await);
    let text = pool("only", r#"affinity = { keys = ["id"] }"#)
        + &backend("a", &a.url(), "")
        + &backend("b", &b.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let mut made = BTreeSet::new();
    eventually(async || {
        made.insert(home_of(&gateway, json("/v1/responses", r#"{"stream":true}"#)).await);
        made.len() == 2
    })
    .await;
    for label in ["a", "b"] {
        for _ in 0..4 {
            let body = format!(r#"{{"model":"m","previous_response_id":"resp_{label}"}}"#);
            assert_eq!(home_of(&gateway, json("/v1/responses", body)).await, label);
        }
    }
    // An unknown id goes to any backend.
    let mut homes = BTreeSet::new();
    eventually(async || {
        let unknown = r#"{"previous_response_id":"resp_c"}"#;
        homes.insert(home_of(&gateway, json("/v1/chat", unknown)).await);
        homes.len() == 2
    })
    .await;
}

#[tokio::test]
async fn resumable_upload_goes_on_through_the_gateway_at_its_backend() {
    let shared = Shared::new("{ keys = [\"id\"] }").await;
    let gateway = shared.gateway().start().await;
    for upload in 0..4 {
        for mock in &shared.backends {
            let url = format!("{}/upload/v1beta/files?upload_id=u{upload}", mock.url());
            let started = answer(200, &[("x-goog-upload-url", &url)]);
            mock.handle().set_behavior(started);
        }
        let start = with(
            json("/upload/v1beta/files", "{}"),
            "x-goog-upload-command",
            "start",
        );
        let started = gateway.send(with(start, "host", "gateway.example")).await;
        let url = started.header("x-goog-upload-url").unwrap().to_owned();
        let target = url.strip_prefix("http://gateway.example").unwrap();
        let went_on = gateway.send(request("POST", target, "bytes")).await;
        assert_eq!(went_on.backend(), started.backend());
    }
}

//! The model is found in bodies of all codings and types, and each backend gets its own.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use spillover_testing::{
    MockUpstream,
    coding::{CODINGS, encoded},
    upstream::RecordedRequest,
};
use spillover_tests::{
    e2e::{
        Gateway, Wire, answer, backend, behaving, chunked, eventually, healthy, json, pool,
        request, with,
    },
    gateway,
};

const CHAT: &str = "/v1/chat/completions";
const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";

/// Returns a chat for this model in a coding.
fn coded(coding: &str, body: impl AsRef<[u8]>) -> Request<Body> {
    with(
        json(CHAT, encoded(coding, body)),
        "content-encoding",
        coding,
    )
}

fn chat(model: &str) -> String {
    format!(r#"{{"messages":[],"model":"{model}","stream":false}}"#)
}

/// Returns a form with this model behind a file of this size.
fn form(model: &str, size: usize) -> String {
    let file = "0123456789abcde\n".repeat(size / 16);
    format!(
        "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n{file}\r\n\
         --xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--xx--\r\n"
    )
}

fn upload(path: &str, body: impl Into<Body>) -> Request<Body> {
    let request = request("POST", path, body);
    with(request, "content-type", "multipart/form-data; boundary=xx")
}

fn sent_to(mock: &MockUpstream) -> RecordedRequest {
    mock.handle().last_request().expect("it was asked")
}

/// Starts a gateway with a pool for `gpt*`, another for `o*`, and none for other models.
async fn routed() -> (Gateway, [MockUpstream; 2]) {
    let (gpt, o) = (healthy().await, healthy().await);
    let text = pool("gpt", "routes = [{ model = \"gpt*\" }]")
        + &backend("gpt", &gpt.url(), "")
        + &pool(
            "o",
            "routes = [{ model = \"o*\" }, { path_prefix = \"/v1/files\" }]",
        )
        + &backend("o", &o.url(), "");
    (gateway!().config(&text).start().await, [gpt, o])
}

#[tokio::test]
async fn routes_by_model_see_through_codings_and_the_body_passes_as_it_came() {
    let (gateway, [gpt, _o]) = routed().await;
    for coding in CODINGS {
        let answer = gateway.send(coded(coding, chat("gpt-4o"))).await;
        assert_eq!((answer.status, answer.backend()), (200, "gpt"), "{coding}");
        let sent = sent_to(&gpt);
        assert_eq!(sent.body, encoded(coding, chat("gpt-4o")));
        assert_eq!(sent.headers["content-encoding"], coding);
        let answer = gateway.send(coded(coding, chat("o3"))).await;
        assert_eq!(answer.backend(), "o", "{coding}");
        let answer = gateway.send(coded(coding, chat("llama"))).await;
        assert_eq!(answer.status, 404, "{coding}");
    }
    let chunks = encoded("zstd", chat("gpt-4o"))
        .into_iter()
        .map(|byte| vec![byte]);
    let in_pieces = with(json(CHAT, chunked(chunks)), "content-encoding", "zstd");
    assert_eq!(gateway.send(in_pieces).await.backend(), "gpt");
}

#[tokio::test]
async fn unreadable_model_is_refused_only_if_the_pool_depends_on_it() {
    let (gateway, [gpt, o]) = routed().await;
    let compressed = |path: &str| with(json(path, "\x1f\x1d"), "content-encoding", "compress");
    let refused = gateway.send(compressed(CHAT)).await;
    assert_eq!(refused.status, 415);
    assert_eq!(
        refused.header("accept-encoding"),
        Some("gzip, deflate, br, zstd")
    );
    assert_eq!(refused.error()["code"], "unsupported_media_type");
    let message = refused.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("`compress`"), "{message}");
    let refused = gateway.send(compressed("/v1/messages")).await;
    assert_eq!(refused.json()["error"]["type"], "invalid_request_error");

    let refused = gateway
        .send(with(json(CHAT, chat("gpt")), "content-encoding", "zstd"))
        .await;
    assert_eq!(
        (refused.status, &refused.error()["code"]),
        (400, &"invalid_content_encoding".into())
    );
    let mut cut_off = encoded("gzip", chat("gpt"));
    cut_off.truncate(cut_off.len() - 9);
    let refused = gateway
        .send(with(json(CHAT, cut_off), "content-encoding", "gzip"))
        .await;
    assert_eq!(refused.status, 400);
    let bomb = format!(r#"{{"model":"gpt","x":"{}"}}"#, " ".repeat(8 << 20));
    for coding in CODINGS {
        let refused = gateway.send(coded(coding, &bomb)).await;
        assert_eq!(refused.status, 413, "{coding}");
    }
    let no_boundary = with(
        request("POST", CHAT, form("gpt", 0)),
        "content-type",
        "multipart/form-data",
    );
    assert_eq!(gateway.send(no_boundary).await.status, 415);
    assert_eq!(
        gpt.handle().stats().received + o.handle().stats().received,
        0
    );

    // A deployment in the path decides the pool, whatever the model in the body is.
    let deployment = "/openai/deployments/gpt/chat/completions";
    assert_eq!(gateway.send(compressed(deployment)).await.backend(), "gpt");
}

#[tokio::test]
async fn second_model_is_refused_in_codings_and_forms() {
    let (gateway, [gpt, o]) = routed().await;
    let twice = r#"{"model":"gpt-4o","model":"o3"}"#;
    for coding in CODINGS {
        let refused = gateway.send(coded(coding, twice)).await;
        assert_eq!(
            (refused.status, &refused.error()["code"]),
            (400, &"duplicate_field".into())
        );
    }
    let dear = "--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\no3\r\n";
    let refused = gateway
        .send(upload(
            TRANSCRIPTIONS,
            dear.to_owned() + &form("gpt-4o", 16),
        ))
        .await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        gpt.handle().stats().received + o.handle().stats().received,
        0
    );
}

#[tokio::test]
async fn key_for_one_pool_opens_no_other_by_a_coding_or_a_form() {
    let (cheap, dear) = (healthy().await, healthy().await);
    let text = "[[clients.keys]]\nname = \"c\"\nsecret = \"k\"\npools = [\"cheap\"]\n".to_owned()
        + &pool("cheap", "routes = [{ model = \"gpt*\" }]")
        + &backend("cheap", &cheap.url(), "")
        + &pool("dear", "")
        + &backend("dear", &dear.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let send = async |request| {
        let request = with(request, "authorization", "Bearer k");
        gateway.send(request).await.status
    };
    assert_eq!(send(coded("zstd", chat("gpt-4o"))).await, 200);
    let escaped = r#"{"mod\u0065l":"o3"}"#;
    let folded = form("gpt-4o", 16).replace("form-data; name", "form-data;\r\n name");
    let unclear = form("gpt-4o", 16).replace("\"model\"", "\"mo\\del\"");
    let both = with(
        json(CHAT, chat("gpt-4o")),
        "content-encoding",
        "gzip, identity, gzip",
    );
    for (request, expected) in [
        (coded("zstd", chat("o3")), 403),
        (coded("gzip", escaped), 403),
        (coded("br", r#"{"model":"gpt-4o","MODEL":"o3"}"#), 400),
        (upload(TRANSCRIPTIONS, form("o3", 16)), 403),
        (upload(TRANSCRIPTIONS, folded), 400),
        (upload(TRANSCRIPTIONS, unclear), 400),
        (both, 415),
    ] {
        assert_eq!(send(request).await, expected);
    }
    assert_eq!(cheap.handle().stats().received, 1);
    assert_eq!(dear.handle().stats().received, 0);
}

#[tokio::test]
async fn model_of_a_form_routes_it_behind_a_file_of_25_mib() {
    let (gateway, [gpt, o]) = routed().await;
    let body = form("gpt-4o-transcribe", 25 << 20);
    let answer = gateway.send(upload(TRANSCRIPTIONS, body.clone())).await;
    assert_eq!((answer.status, answer.backend()), (200, "gpt"));
    assert!(sent_to(&gpt).body == body);
    // A form without a model goes to a pool that does not need one.
    let answer = gateway.send(upload("/v1/files", "--xx--\r\n")).await;
    assert_eq!((answer.status, answer.backend()), (200, "o"));
    assert_eq!(o.handle().stats().received, 1);
}

#[tokio::test]
async fn deployment_name_replaces_the_model_wherever_it_is() {
    let mock = healthy().await;
    let gateway = gateway!()
        .backend("A", 1, mock.url())
        .env("BACKEND_A_DEPLOYMENT_NAME", "mine")
        .start()
        .await;
    gateway
        .send(json("/openai/v1/chat/completions", chat("yours")))
        .await;
    assert_eq!(sent_to(&mock).body, chat("mine"));
    for coding in CODINGS {
        let answer = gateway.send(coded(coding, chat("yours"))).await;
        assert_eq!(answer.status, 200, "{coding}");
        let sent = sent_to(&mock);
        assert_eq!(sent.body, chat("mine"), "{coding}");
        assert!(!sent.headers.contains_key("content-encoding"));
        let length = chat("mine").len().to_string();
        assert_eq!(answer.header("x-echo-content-length"), Some(&*length));
    }
    let sent = gateway.http2().send(coded("zstd", chat("yours"))).await;
    assert_eq!(sent.text(), chat("mine"));
    gateway
        .send(upload(TRANSCRIPTIONS, form("yours", 1 << 20)))
        .await;
    assert!(sent_to(&mock).body == form("mine", 1 << 20));
    for (target, expected) in [
        (
            "/openai/v1/realtime?model=yours",
            "/openai/v1/realtime?model=mine",
        ),
        (
            "/openai/realtime?deployment=yours",
            "/openai/realtime?deployment=mine",
        ),
    ] {
        gateway.get(target).await;
        assert_eq!(sent_to(&mock).path_and_query(), expected);
    }
    // Azure reads the deployment in the path and ignores the model in the body.
    let beside = "/openai/deployments/yours/chat/completions";
    gateway.send(json(beside, chat("yours"))).await;
    let sent = sent_to(&mock);
    assert_eq!(
        sent.path_and_query(),
        "/openai/deployments/mine/chat/completions"
    );
    assert_eq!(sent.body, chat("yours"));
}

#[tokio::test]
async fn each_attempt_has_the_body_in_its_own_form() {
    let throttled = behaving(answer(429, &[("retry-after", "9")])).await;
    let (other, plain) = (behaving(answer(500, &[])).await, healthy().await);
    let text = pool("only", "")
        + &backend("throttled", &throttled.url(), "model = \"one\"")
        + &backend("other", &other.url(), "priority = 2\nmodel = \"two\"")
        + &backend("plain", &plain.url(), "priority = 3");
    let gateway = gateway!().config(&text).start().await;
    let answer = gateway.send(coded("zstd", chat("mine"))).await;
    assert_eq!((answer.status, answer.backend()), (200, "plain"));
    assert_eq!(sent_to(&throttled).body, chat("one"));
    assert_eq!(sent_to(&other).body, chat("two"));
    assert_eq!(sent_to(&plain).body, encoded("zstd", chat("mine")));
}

#[tokio::test]
async fn deployment_in_the_path_becomes_the_model_of_a_backend_that_has_no_such_path() {
    let openai = healthy().await;
    let text = pool("only", "") + &backend("openai", &openai.url(), "kind = \"openai\"");
    let gateway = gateway!().config(&text).start().await;
    let path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
    for (body, expected) in [
        (r#"{"messages":[]}"#, r#"{"model":"gpt-4o","messages":[]}"#),
        ("{}", r#"{"model":"gpt-4o"}"#),
        (r#"{"model":"x","n":1}"#, r#"{"model":"gpt-4o","n":1}"#),
    ] {
        for coding in ["gzip", "zstd"] {
            let request = with(
                json(path, encoded(coding, body)),
                "content-encoding",
                coding,
            );
            assert_eq!(gateway.send(request).await.text(), expected);
        }
        let answer = gateway.send(json(path, body)).await;
        assert_eq!(answer.text(), expected);
        let length = expected.len().to_string();
        assert_eq!(answer.header("x-echo-content-length"), Some(&*length));
        assert_eq!(sent_to(&openai).path_and_query(), CHAT);
        let pieces = body.bytes().map(|byte| vec![byte]);
        assert_eq!(
            gateway.send(json(path, chunked(pieces))).await.text(),
            expected
        );
    }
    let path = "/openai/deployments/whisper/audio/transcriptions";
    let without = "--xx\r\nContent-Disposition: form-data; name=n\r\n\r\n1\r\n--xx--\r\n";
    let part = "--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n";
    let answer = gateway.send(upload(path, without)).await;
    assert_eq!(answer.text(), part.to_owned() + without);
    assert_eq!(sent_to(&openai).path_and_query(), TRANSCRIPTIONS);
}

#[tokio::test]
async fn body_that_cannot_hold_a_model_goes_to_a_backend_with_the_path() {
    let (openai, azure) = (healthy().await, healthy().await);
    let first = pool("only", "") + &backend("openai", &openai.url(), "kind = \"openai\"");
    let both = first.clone() + &backend("azure", &azure.url(), "priority = 2\nkind = \"azure\"");
    let path = "/openai/deployments/gpt-4o/chat/completions";
    let text = || with(request("POST", path, "hello"), "content-type", "text/plain");

    let gateway = gateway!().config(&both).start().await;
    for request in [text(), json(path, "[]")] {
        let answer = gateway.send(request).await;
        assert_eq!((answer.status, answer.backend()), (200, "azure"));
    }
    // The first backend is not closed by this.
    assert_eq!(gateway.send(json(path, "{}")).await.backend(), "openai");

    let gateway = gateway!().config(&first).start().await;
    let refused = gateway.send(text()).await;
    assert_eq!(
        (refused.status, &refused.error()["code"]),
        (415, &"unsupported_media_type".into())
    );
    assert_eq!(openai.handle().stats().received, 1);
}

#[tokio::test]
async fn rejected_coding_moves_on() {
    let (first, second) = (
        behaving(answer(415, &[("accept-encoding", "gzip")])).await,
        healthy().await,
    );
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("second", 2, second.url())
        .start()
        .await;
    for _ in 0..2 {
        assert_eq!(
            gateway.send(coded("zstd", chat("m"))).await.backend(),
            "second"
        );
    }
    assert_eq!(first.handle().stats().received, 2);
}

#[tokio::test]
async fn ids_are_found_through_codings() {
    let made = |label: &str| {
        let body = format!(r#"{{"id":"resp_{label}"}}"#);
        http::Response::new(Bytes::from(body))
    };
    let (a, b) = (behaving(made("a")).await, behaving(made("b")).await);
    let text = pool("only", r#"affinity = { keys = ["id"] }"#)
        + &backend("a", &a.url(), "")
        + &backend("b", &b.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let mut homes = std::collections::BTreeSet::new();
    eventually(async || {
        homes.insert(
            gateway
                .send(json("/v1/responses", "{}"))
                .await
                .backend()
                .to_owned(),
        );
        homes.len() == 2
    })
    .await;
    for coding in CODINGS {
        for label in ["a", "b"] {
            for _ in 0..3 {
                let body = format!(r#"{{"model":"m","previous_response_id":"resp_{label}"}}"#);
                let answer = gateway.send(coded(coding, body)).await;
                assert_eq!(answer.backend(), label, "{coding}");
            }
        }
    }
}

#[tokio::test]
async fn client_that_goes_away_within_a_body_in_a_coding_leaves_nothing_behind() {
    let (gateway, [gpt, _o]) = routed().await;
    let body = encoded("zstd", chat("gpt-4o"));
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-encoding: zstd\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head).await;
    wire.send(&body[..body.len() / 2]).await;
    drop(wire);
    gateway.wait_for_requests(1).await;
    assert_eq!(gpt.handle().stats().received, 0);
    assert_eq!(
        gateway.send(coded("zstd", chat("gpt-4o"))).await.backend(),
        "gpt"
    );
}

#[tokio::test]
async fn limit_of_token_counting_does_not_close_the_model() {
    let limited = answer(429, &[("retry-after", "30")]);
    let (first, next) = (healthy().await, healthy().await);
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    first.handle().push(limited);
    let counting = json("/v1/messages/count_tokens", chat("claude"));
    assert_eq!(gateway.send(counting).await.backend(), "next");
    let answer = gateway.send(json("/v1/messages", chat("claude"))).await;
    assert_eq!(answer.backend(), "first");
    let counting = json("/v1/messages/count_tokens", chat("claude"));
    assert_eq!(gateway.send(counting).await.backend(), "next");
}

#[tokio::test]
async fn limit_of_a_gemini_model_holds_for_all_its_methods() {
    let limited = answer(429, &[("retry-after", "30")]);
    let (first, next) = (healthy().await, healthy().await);
    let gateway = gateway!()
        .backend("first", 1, first.url())
        .backend("next", 2, next.url())
        .start()
        .await;
    first.handle().push(limited);
    for (path, expected) in [
        ("/v1beta/models/gemini-a:streamGenerateContent", "next"),
        ("/v1beta/models/gemini-a:generateContent", "next"),
        ("/v1beta/models/gemini-b:generateContent", "first"),
    ] {
        let answer = gateway.send(json(path, r#"{"contents":[]}"#)).await;
        assert_eq!(answer.backend(), expected, "{path}");
    }
}

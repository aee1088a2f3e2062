//! The refusals of requests that reach no backend, in the error format of each client.

use axum::body::Body;
use http::Request;
use spillover_testing::coding::encoded;
use spillover_tests::{
    e2e::{Gateway, Wire, backend, chunked, healthy, json, pool, request, with},
    gateway,
};

use super::file::Golden;

const CHAT: &str = "/v1/chat/completions";

/// Adds the answers to the same request of an OpenAI, an Anthropic and a gRPC client.
pub(super) async fn add_formats(
    golden: &mut Golden,
    title: &str,
    gateway: &Gateway,
    make: impl Fn() -> Request<Body>,
) {
    let grpc = with(without_type(make()), "content-type", "application/grpc");
    add_json_formats(golden, title, gateway, make).await;
    golden.add_answer(&format!("{title}, gRPC"), &gateway.send(grpc).await);
}

/// Adds the answers to the same request of an OpenAI and an Anthropic client.
async fn add_json_formats(
    golden: &mut Golden,
    title: &str,
    gateway: &Gateway,
    make: impl Fn() -> Request<Body>,
) {
    golden.add_answer(&format!("{title}, OpenAI"), &gateway.send(make()).await);
    let anthropic = with(make(), "anthropic-version", "2023-06-01");
    golden.add_answer(
        &format!("{title}, Anthropic"),
        &gateway.send(anthropic).await,
    );
}

fn without_type(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().remove("content-type");
    request
}

#[tokio::test]
async fn clients_without_permission_are_refused_as_before() {
    let (chat, other) = (healthy().await, healthy().await);
    let text = "[clients]\ncors = [\"https://chat.example.com\"]\n\
        [[clients.keys]]\nname = \"alice\"\nsecret = \"k1\"\nrequests_per_minute = 1\n\
        [[clients.keys]]\nname = \"bob\"\nsecret = \"k2\"\npools = [\"chat\"]\n"
        .to_owned()
        + &pool("chat", "routes = [{ path_prefix = \"/v1/chat\" }]")
        + &backend("chat", &chat.url(), "")
        + &pool("other", "")
        + &backend("other", &other.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let mut golden = Golden::new("refused_clients.txt");
    add_formats(&mut golden, "no key", &gateway, || json(CHAT, "{}")).await;
    add_formats(&mut golden, "unknown key", &gateway, || {
        with(json(CHAT, "{}"), "api-key", "k3")
    })
    .await;
    let ask = |key| with(json("/v1/embeddings", "{}"), "api-key", key);
    add_formats(&mut golden, "key for another pool", &gateway, || ask("k2")).await;
    assert_eq!(gateway.send(ask("k1")).await.status, 200);
    add_formats(&mut golden, "rate of a key", &gateway, || ask("k1")).await;

    let origins = ["https://chat.example.com", "https://evil.example"];
    let preflight = |origin| {
        let request = with(request("OPTIONS", CHAT, Body::empty()), "origin", origin);
        let request = with(request, "access-control-request-method", "POST");
        with(
            request,
            "access-control-request-headers",
            "authorization,content-type",
        )
    };
    for origin in origins {
        golden.add_answer(
            &format!("preflight of {origin}"),
            &gateway.send(preflight(origin)).await,
        );
        let refused = gateway.send(with(json(CHAT, "{}"), "origin", origin)).await;
        golden.add_answer(&format!("no key, origin {origin}"), &refused);
    }
    let options = with(
        request("OPTIONS", CHAT, Body::empty()),
        "origin",
        origins[0],
    );
    golden.add_answer("OPTIONS that is no preflight", &gateway.send(options).await);
    let any = text.replace("[\"https://chat.example.com\"]", "[\"*\"]");
    let gateway = gateway!().config(&any).start().await;
    golden.add_answer(
        "preflight, any origin",
        &gateway.send(preflight(origins[1])).await,
    );
    let refused = gateway
        .send(with(json(CHAT, "{}"), "origin", origins[1]))
        .await;
    golden.add_answer("no key, any origin", &refused);
    golden.assert();
}

/// Starts a gateway whose pools depend on the model, and take bodies of at most 1 MiB.
async fn routed() -> (Gateway, spillover_testing::MockUpstream) {
    let mock = healthy().await;
    let text = "connections = { body_timeout = \"200ms\", head_timeout = \"200ms\", head_size = \"8KiB\", head_fields = 20 }\n"
        .to_owned()
        + &pool("gpt", "routes = [{ model = \"gpt*\" }]")
        + &backend("gpt", &mock.url(), "")
        + &pool(
            "o",
            "routes = [{ model = \"o*\" }, { path_prefix = \"/v1/files\" }]\nlimits.body = \"1KiB\"",
        )
        + &backend("o", &mock.url(), "");
    (gateway!().config(&text).start().await, mock)
}

#[tokio::test]
async fn requests_that_cannot_be_routed_are_refused_as_before() {
    let (gateway, mock) = routed().await;
    let mut golden = Golden::new("refused_requests.txt");
    add_formats(&mut golden, "TRACE", &gateway, || {
        request("TRACE", CHAT, Body::empty())
    })
    .await;
    add_formats(&mut golden, "no pool", &gateway, || {
        json(CHAT, r#"{"model":"llama"}"#)
    })
    .await;
    add_json_formats(
        &mut golden,
        "no pool, a body that is no JSON",
        &gateway,
        || json(CHAT, "{"),
    )
    .await;
    let hidden = || {
        json(
            "/openai/deploy%6dents/o3/chat/completions",
            r#"{"model":"gpt-4o"}"#,
        )
    };
    add_json_formats(&mut golden, "path of two pools", &gateway, hidden).await;
    let twice = || json(CHAT, r#"{"model":"gpt-4o","model":"o3"}"#);
    add_json_formats(&mut golden, "two models", &gateway, twice).await;

    let coded = |coding, body: Vec<u8>| with(json(CHAT, body), "content-encoding", coding);
    let chat = r#"{"model":"gpt-4o"}"#;
    let bomb = format!(r#"{{"model":"gpt-4o","x":"{}"}}"#, " ".repeat(8 << 20));
    add_json_formats(&mut golden, "unknown coding", &gateway, || {
        coded("compress", chat.into())
    })
    .await;
    add_json_formats(&mut golden, "not in its coding", &gateway, || {
        coded("zstd", chat.into())
    })
    .await;
    add_json_formats(&mut golden, "too large when decoded", &gateway, || {
        coded("gzip", encoded("gzip", &bomb))
    })
    .await;
    let form = || {
        with(
            request("POST", CHAT, "--x--"),
            "content-type",
            "multipart/form-data",
        )
    };
    add_json_formats(&mut golden, "form without a boundary", &gateway, form).await;
    let types = || with(json(CHAT, chat), "content-type", "application/json");
    add_json_formats(&mut golden, "two content types", &gateway, types).await;

    let large = "x".repeat(1_025);
    let body = || request("POST", "/v1/files", large.clone());
    add_formats(&mut golden, "body too large, announced", &gateway, body).await;
    let body = || {
        request(
            "POST",
            "/v1/files",
            chunked(large.as_bytes().chunks(100).map(<[u8]>::to_vec)),
        )
    };
    add_formats(&mut golden, "body too large, in chunks", &gateway, body).await;
    let body = || {
        json(
            "/v1/files",
            chunked(large.as_bytes().chunks(100).map(<[u8]>::to_vec)),
        )
    };
    add_json_formats(
        &mut golden,
        "body too large, in chunks of JSON",
        &gateway,
        body,
    )
    .await;
    assert!(
        mock.handle()
            .requests()
            .iter()
            .all(|request| request.path_and_query() != CHAT)
    );
    golden.assert();
}

async fn add_exchange(golden: &mut Golden, title: &str, gateway: &Gateway, bytes: &str) {
    let answer = Wire::exchange(gateway.address(), bytes).await;
    golden.add_bytes(title, &answer);
}

#[tokio::test]
async fn requests_that_break_off_are_refused_as_before() {
    let (gateway, _mock) = routed().await;
    let mut golden = Golden::new("refused_bytes.txt");
    let formats = [
        ("OpenAI", "application/json", ""),
        ("Anthropic", "application/json", "anthropic-version: 1\r\n"),
        ("gRPC", "application/grpc", ""),
    ];
    for (format, kind, field) in formats {
        for (title, path) in [("read for its model", CHAT), ("passed on", "/v1/files")] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: {kind}\r\n{field}"
            );
            // A gRPC body is not read for its model.
            if format == "gRPC" && path == CHAT {
                continue;
            }
            let bad = format!("{head}transfer-encoding: chunked\r\n\r\n1\r\n{{\r\nno length\r\n");
            add_exchange(
                &mut golden,
                &format!("body {title} that breaks off, {format}"),
                &gateway,
                &bad,
            )
            .await;
            let slow = format!("{head}content-length: 9\r\n\r\n{{");
            add_exchange(
                &mut golden,
                &format!("body {title} that stops, {format}"),
                &gateway,
                &slow,
            )
            .await;
        }
    }
    let long = format!(
        "GET / HTTP/1.1\r\nhost: gateway\r\nx-long: {}\r\n\r\n",
        "x".repeat(9 << 10)
    );
    add_exchange(&mut golden, "head too large", &gateway, &long).await;
    let many = format!(
        "GET / HTTP/1.1\r\nhost: gateway\r\n{}\r\n",
        "x: y\r\n".repeat(30)
    );
    add_exchange(&mut golden, "too many fields", &gateway, &many).await;
    add_exchange(&mut golden, "no HTTP", &gateway, "hello\r\n\r\n").await;
    add_exchange(
        &mut golden,
        "half a head",
        &gateway,
        "GET / HTTP/1.1\r\nhost:",
    )
    .await;
    let connect =
        "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\nconnection: close\r\n\r\n";
    add_exchange(&mut golden, "CONNECT", &gateway, connect).await;
    golden.assert();
}

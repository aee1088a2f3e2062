//! The choice of a pool, and changes to requests and responses in it.

use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Gateway, answer, backend, behaving, chunked, healthy, json, pool, request, with},
    gateway,
};

const CHAT: &str = "/v1/chat/completions";

/// Starts a gateway with one pool per name, each with further keys and one backend.
async fn gateway_with(pools: &[(&str, &str)]) -> (Gateway, Vec<MockUpstream>) {
    let (mut text, mut backends) = (String::new(), Vec::new());
    for (name, rest) in pools {
        let mock = healthy().await;
        text += &pool(name, rest);
        text += &backend(name, &mock.url(), "");
        backends.push(mock);
    }
    (gateway!().config(&text).start().await, backends)
}

/// Starts a gateway in front of this backend, with further keys.
async fn gateway_to(mock: &MockUpstream, rest: &str) -> Gateway {
    let text = pool("only", "") + &backend("only", &mock.url(), rest);
    gateway!().config(&text).start().await
}

fn body_sent_to(mock: &MockUpstream) -> String {
    let request = mock.handle().last_request().expect("it was asked");
    String::from_utf8(request.body.to_vec()).expect("text")
}

#[tokio::test]
async fn first_pool_with_a_route_takes_a_request() {
    let (gateway, _backends) = gateway_with(&[
        ("host", "[[pools.routes]]\nhost = \"*.team.example\""),
        ("path", "[[pools.routes]]\npath_prefix = \"/anthropic/\""),
        (
            "model",
            "[[pools.routes]]\nmodel = \"gpt-4*\"\n[[pools.routes]]\nmodel = \"o?\"",
        ),
        (
            "both",
            "[[pools.routes]]\npath_prefix = \"/v1\"\nmodel = \"gpt-5\"",
        ),
    ])
    .await;
    let at = |host: &str, path: &str, body: &str| {
        let mut request = json(path, body.to_owned());
        request.headers_mut().insert("host", host.parse().unwrap());
        request
    };
    for (host, path, body, expected) in [
        ("A.team.example:80", "/any", "{}", "host"),
        ("team.example", "/anthropic/v1/messages", "{}", "path"),
        ("x", "/anthropic", "{}", "path"),
        ("x", CHAT, r#"{"model":"gpt-4o-mini"}"#, "model"),
        (
            "x",
            CHAT,
            r#"{"messages":[{"model":"no"}],"model":"o3"}"#,
            "model",
        ),
        (
            "x",
            "/openai/deployments/gpt-4.1/chat/completions",
            "{}",
            "model",
        ),
        (
            "x",
            "/openai/deployments/o1/x",
            r#"{"model":"gpt-5"}"#,
            "model",
        ),
        ("x", CHAT, r#"{"model":"gpt-5"}"#, "both"),
    ] {
        let answer = gateway.send(at(host, path, body)).await;
        assert_eq!(answer.backend(), expected, "{host} {path} {body}");
    }
    for (host, path, body) in [
        ("team.example", "/any", "{}"),
        ("x", "/anthropics", "{}"),
        ("x", CHAT, r#"{"model":"o3-pro"}"#),
        ("x", CHAT, r#"{"model":7}"#),
        ("x", "/v2", r#"{"model":"gpt-5"}"#),
    ] {
        let answer = gateway.send(at(host, path, body)).await;
        assert_eq!(answer.status, 404, "{host} {path} {body}");
        assert_eq!(answer.error()["code"], "not_found");
    }
    let answer = gateway.send(json("/v1/messages", "{}")).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"]["type"], "not_found_error");

    let lines = gateway.wait_for_requests(14).await;
    assert_eq!(lines[0]["pool"], "host");
    assert!(lines[13]["pool"].is_null(), "{}", lines[13]);
}

#[tokio::test]
async fn model_is_found_wherever_it_stands_and_replaced_byte_for_byte() {
    let mock = healthy().await;
    let gateway = gateway_to(&mock, "model = \"gpt-\\\"é\"").await;
    let image = "x".repeat(3 << 20);
    for (before, after) in [
        (r#"{"model":"#, r#","stream":false}"#),
        (
            " {\"messages\" : [{\"model\": \"in\"}],\r\n \"model\" : ",
            " }\n",
        ),
        (&format!(r#"{{"image":"{image}","mod\u0065l":"#), "}"),
        (
            r#"{"a":"\"model\":\"x\"","é":1e3,"model":"#,
            r#","n":[{}]} "#,
        ),
    ] {
        let sent = format!(r#"{before}"a longer name than the other"{after}"#);
        let expected = format!(r#"{before}"gpt-\"é"{after}"#);
        let whole = gateway.send(json(CHAT, sent.clone())).await;
        assert_eq!(whole.status, 200);
        assert!(body_sent_to(&mock) == expected, "{before:.99}");
        let length = expected.len().to_string();
        assert_eq!(whole.header("x-echo-content-length"), Some(&*length));

        let chunks = sent.as_bytes().chunks(sent.len() / 7 + 1);
        let chunks = chunks.map(<[u8]>::to_vec);
        let answer = gateway.send(json(CHAT, chunked(chunks))).await;
        assert_eq!(answer.status, 200);
        assert!(body_sent_to(&mock) == expected, "{before:.99}");
    }
    let sent = gateway.http2().send(json(CHAT, r#"{"model":"a"}"#)).await;
    assert_eq!(sent.text(), r#"{"model":"gpt-\"é"}"#);
}

#[tokio::test]
async fn each_attempt_has_the_model_of_its_backend() {
    let throttled = behaving(answer(429, &[("retry-after", "9")])).await;
    let (other, plain) = (behaving(Behavior::status(500)).await, healthy().await);
    let text = pool("only", "")
        + &backend("throttled", &throttled.url(), "model = \"one\"")
        + &backend(
            "other",
            &other.url(),
            "priority = 2\nmodel = \"the second\"",
        )
        + &backend("plain", &plain.url(), "priority = 3");
    let gateway = gateway!().config(&text).start().await;
    let body = |model: &str| format!(r#"{{"n":1,"model":"{model}","x":"{model}"}}"#);
    let sent = gateway.send(json(CHAT, body("mine"))).await;
    assert_eq!(sent.backend(), "plain");
    assert_eq!(
        body_sent_to(&throttled),
        body("mine").replacen("mine", "one", 1)
    );
    assert_eq!(
        body_sent_to(&other),
        body("mine").replacen("mine", "the second", 1)
    );
    assert_eq!(body_sent_to(&plain), body("mine"));
}

#[tokio::test]
async fn request_without_a_model_is_unchanged() {
    let mock = healthy().await;
    let gateway = gateway_to(&mock, "model = \"other\"").await;
    for body in [
        "",
        "{",
        "[1]",
        r#"{"model":null}"#,
        r#"{"model":"a"#,
        "\u{feff}{}",
    ] {
        let answer = gateway.send(json(CHAT, body)).await;
        assert_eq!((answer.status, answer.text()), (200, body));
    }
    let body = r#"{"model":"a"}"#;
    // The head names a coding that the body does not have.
    let compressed = with(json(CHAT, body), "content-encoding", "br");
    assert_eq!(gateway.send(compressed).await.status, 400);
    assert_eq!(gateway.post(CHAT, body).await.text(), body);
    let put = with(
        request("PUT", CHAT, body),
        "content-type",
        "application/json",
    );
    assert_eq!(gateway.send(put).await.text(), body);
}

#[tokio::test]
async fn second_model_is_refused() {
    let mock = healthy().await;
    let gateway = gateway_to(&mock, "model = \"other\"").await;
    let twice = r#"{"model":"cheap","messages":[],"model":"dear"}"#;
    let refused = gateway.send(json(CHAT, twice)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.error()["code"], "duplicate_field");
    let chunks = twice.as_bytes().chunks(5).map(<[u8]>::to_vec);
    let refused = gateway.send(json("/v1/messages", chunked(chunks))).await;
    assert_eq!(refused.json()["error"]["type"], "invalid_request_error");
    assert_eq!(mock.handle().stats().received, 0);
}

#[tokio::test]
async fn deployment_in_the_path_is_replaced() {
    let mock = healthy().await;
    let gateway = gateway_to(&mock, "deployment = \"mine\"").await;
    let path = "/openai/deployments/yours/chat/completions?api-version=1";
    gateway.send(json(path, r#"{"model":"yours"}"#)).await;
    let request = mock.handle().last_request().unwrap();
    assert_eq!(
        request.path_and_query(),
        "/openai/deployments/mine/chat/completions?api-version=1"
    );
    assert_eq!(request.body, r#"{"model":"yours"}"#);
}

#[tokio::test]
async fn header_fields_are_set_and_removed_both_ways() {
    let mock = behaving(answer(
        200,
        &[("x-powered-by", "b"), ("x-pool", "b"), ("x-kept", "b")],
    ))
    .await;
    let rest = r#"
        request_headers.set = { x-set = "1", x-secret = { env = "A_SECRET" } }
        request_headers.remove = ["x-gone", "user-agent"]
        response_headers.set = { x-backend = "only", x-pool = "backend" }
        response_headers.remove = ["x-powered-by"]
    "#;
    let rest_of_pool = "limits.body = \"9B\"\nresponse_headers.set = { x-pool = \"pool\" }";
    let text = pool("only", rest_of_pool) + &backend("only", &mock.url(), rest);
    let gateway = gateway!()
        .config(&text)
        .env("A_SECRET", "s3cret")
        .start()
        .await;
    let request = ["x-set", "x-gone", "x-gone", "x-kept", "user-agent"]
        .into_iter()
        .fold(request("GET", "/", ""), |request, name| {
            with(request, name, "client")
        });
    let mut request = request;
    *request.uri_mut() = "/v1/models".parse().unwrap();
    let answer = gateway.send(request).await;

    let sent = mock.handle().last_request().unwrap().headers;
    assert_eq!((&sent["x-set"], &sent["x-secret"], &sent["x-kept"]).0, "1");
    assert_eq!(sent["x-secret"], "s3cret");
    assert_eq!(sent["x-kept"], "client");
    assert_eq!(sent.get_all("x-set").iter().count(), 1);
    assert!(!sent.contains_key("x-gone") && !sent.contains_key("user-agent"));
    for (name, expected) in [
        ("x-backend", Some("only")),
        ("x-pool", Some("pool")),
        ("x-kept", Some("b")),
        ("x-powered-by", None),
    ] {
        assert_eq!(answer.header(name), expected, "{name}");
    }
    // The gateway's own responses belong to the pool, too.
    let refused = gateway.post(CHAT, "0123456789").await;
    assert_eq!(
        (refused.status, refused.header("x-pool")),
        (413, Some("pool"))
    );
    assert_eq!(refused.header("x-backend"), None);
    for line in gateway.wait_for_requests(2).await {
        assert!(!line.to_string().contains("s3cret"), "{line}");
    }
}

//! Requests reach the backend unchanged, and answers the client, for all targets, methods and versions of HTTP. Only
//! the gateway's own paths are exceptions.

use axum::body::Body;
use http::{Method, Version};
use spillover_testing::{
    MockUpstream,
    upstream::{Behavior, RecordedRequest},
};
use spillover_tests::{
    e2e::{Gateway, Program, Wire, WireUpstream, answer, healthy, request},
    for_both_gateways,
};

for_both_gateways!(
    path_and_query_arrive_untouched,
    base_path_of_the_backend_comes_first,
    host_is_the_backends,
    no_request_can_choose_the_upstream,
    options_for_the_whole_server_reaches_the_backend,
    connect_and_trace_are_not_allowed,
    every_other_method_is_proxied,
    health_is_the_gateways_own,
    deployment_is_replaced_where_it_stands_and_nowhere_else,
    answer_passes_with_its_status_fields_and_body,
    answers_without_a_body_have_none,
    interim_answer_is_not_taken_for_the_answer,
    http_1_0_clients_are_served,
    http_2_clients_are_served_without_tls,
    pipelined_requests_are_answered_in_order,
    connections_to_the_backend_are_used_again,
);

async fn in_front_of(program: Program, backend: &MockUpstream) -> Gateway {
    program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await
}

fn last(backend: &MockUpstream) -> RecordedRequest {
    backend.handle().last_request().expect("a request")
}

async fn path_and_query_arrive_untouched(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;

    for target in [
        "/v1/chat/completions?",
        "//evil.example/x",
        "/a//b/./../c/",
        "/%2e%2E/%2f%ff?x=%20&&y=+;z",
        "/!$&'()*+,;=:@-._~?/?!$'()*,:@",
        "/{x}|y?q={y}|^`",
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
    ] {
        let request =
            format!("GET {target} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n");
        let response = Wire::exchange(gateway.address(), &request).await;
        assert!(
            response.starts_with("HTTP/1.1 200 "),
            "{target}: {response}"
        );
        assert_eq!(last(&backend).path_and_query(), target);
    }
}

async fn base_path_of_the_backend_comes_first(program: Program) {
    let backend = healthy().await;
    let gateway = program
        .gateway()
        .backend("only", 1, format!("{}/base/", backend.url()))
        .start()
        .await;
    for (target, arrives) in [
        ("/v1/models?x=1", "/base/v1/models?x=1"),
        ("/x", "/base/x"),
        ("/../x", "/base/../x"),
    ] {
        assert_eq!(gateway.get(target).await.status, 200);
        assert_eq!(last(&backend).path_and_query(), arrives);
    }
}

async fn host_is_the_backends(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    assert_eq!(gateway.get("/v1/models").await.status, 200);
    let headers = last(&backend).headers;
    let hosts: Vec<_> = headers.get_all("host").iter().collect();
    assert_eq!(hosts, [&backend.addr().to_string()]);
}

async fn no_request_can_choose_the_upstream(program: Program) {
    let (backend, evil) = (healthy().await, healthy().await);
    let gateway = in_front_of(program, &backend).await;
    let evil_host = evil.addr();

    for (target, host) in [
        ("/x", format!("{evil_host}")),
        (&*format!("http://{evil_host}/x"), format!("{evil_host}")),
        (&format!("http://{evil_host}/x"), "gateway".into()),
        (
            &format!("http://user:password@{evil_host}/x"),
            "gateway".into(),
        ),
        (&format!("HTTP://{evil_host}/x"), "gateway".into()),
        (&format!("//{evil_host}/x"), "gateway".into()),
        (&format!("/@{evil_host}/x"), "gateway".into()),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let response = Wire::exchange(gateway.address(), &request).await;
        assert!(
            response.starts_with("HTTP/1.1 200 "),
            "{target}: {response}"
        );
        let arrived = last(&backend);
        assert!(arrived.path_and_query().ends_with("/x"), "{target}");
        assert_eq!(
            arrived.headers["host"],
            backend.addr().to_string(),
            "{target}"
        );
    }
    assert_eq!(evil.handle().stats().connections, 0);
}

async fn options_for_the_whole_server_reaches_the_backend(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let request = "OPTIONS * HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n";
    let response = Wire::exchange(gateway.address(), request).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert_eq!(last(&backend).method, Method::OPTIONS);
    assert_eq!(last(&backend).path_and_query(), "/");
}

async fn connect_and_trace_are_not_allowed(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let target = backend.addr();
    for line in [
        format!("CONNECT {target}"),
        "TRACE /".into(),
        "TRACE /v1/models".into(),
    ] {
        let request = format!("{line} HTTP/1.1\r\nhost: {target}\r\nconnection: close\r\n\r\n");
        let response = Wire::exchange(gateway.address(), &request).await;
        assert!(response.starts_with("HTTP/1.1 405 "), "{line}: {response}");
        let is_error_of_openai = response.contains(r#""code":"method_not_allowed""#);
        assert!(
            is_error_of_openai || !program.is_production(),
            "{line}: {response}"
        );
    }
    assert_eq!(backend.handle().stats().connections, 0);
}

async fn every_other_method_is_proxied(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X-OWN",
    ] {
        let answer = gateway
            .send(request(method, "/v1/files/1", "question"))
            .await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, "question"),
            "{method}"
        );
        assert_eq!(answer.header("x-echo-method"), Some(method));
    }
}

async fn health_is_the_gateways_own(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    for (method, target) in [
        ("GET", "/healthz"),
        ("GET", "/healthz?x"),
        ("POST", "/healthz"),
        ("HEAD", "/healthz"),
    ] {
        let answer = gateway.send(request(method, target, Body::empty())).await;
        assert_eq!(
            (answer.status, answer.backend()),
            (200, ""),
            "{method} {target}"
        );
    }
    assert_eq!(backend.handle().stats().received, 0);

    for target in ["/healthz/", "/healthz/x", "/v1/healthz", "//healthz"] {
        assert_eq!(gateway.get(target).await.backend(), "only", "{target}");
    }
}

async fn deployment_is_replaced_where_it_stands_and_nowhere_else(program: Program) {
    let backend = healthy().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .env("BACKEND_only_DEPLOYMENT_NAME", "new")
        .start()
        .await;
    for (target, arrives) in [
        (
            "/openai/deployments/old/chat/completions?api-version=1",
            "/openai/deployments/new/chat/completions?api-version=1",
        ),
        (
            "/openai/deployments/old/old?d=deployments/old",
            "/openai/deployments/new/old?d=deployments/old",
        ),
        ("/openai/deployments", "/openai/deployments"),
        ("/openai/models/old", "/openai/models/old"),
    ] {
        assert_eq!(gateway.post(target, r#"{"model":"old"}"#).await.status, 200);
        assert_eq!(last(&backend).path_and_query(), arrives);
        assert_eq!(last(&backend).body, r#"{"model":"old"}"#);
    }
}

async fn answer_passes_with_its_status_fields_and_body(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    for status in [200, 201, 202, 301, 307, 400, 404, 418, 499] {
        backend
            .handle()
            .push(answer(status, &[("location", "/x"), ("etag", "\"42\"")]));
        let seen = gateway.get("/v1/models").await;
        assert_eq!(seen.status, status);
        assert_eq!(seen.header("location"), Some("/x"));
        assert_eq!(seen.header("etag"), Some("\"42\""));
        assert_eq!(seen.body, answer(status, &[]).into_body());
    }
}

async fn answers_without_a_body_have_none(program: Program) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    let mut server = None;

    // All on one connection: a surplus byte would break the next answer.
    for (method, answer, length) in [
        ("GET", "204 No Content\r\n", None),
        ("GET", "304 Not Modified\r\netag: \"42\"\r\n", None),
        (
            "HEAD",
            "200 OK\r\ncontent-length: 42\r\n",
            Some("content-length: 42"),
        ),
        (
            "GET",
            "200 OK\r\ncontent-length: 0\r\n",
            Some("content-length: 0"),
        ),
        ("DELETE", "204 No Content\r\n", None),
    ] {
        client
            .send(format!("{method} /x HTTP/1.1\r\nhost: gateway\r\n\r\n"))
            .await;
        let mut wire = match server.take() {
            Some(wire) => wire,
            None => backend.accept().await,
        };
        assert!(wire.read_head().await.starts_with(method));
        wire.send(format!("HTTP/1.1 {answer}connection: close\r\n\r\n"))
            .await;

        let head = client.read_head().await.to_ascii_lowercase();
        let status = &answer[..3];
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        let seen = head.lines().find(|line| line.starts_with("content-length"));
        assert_eq!(seen, length, "{method} {status}: {head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
    }
}

async fn interim_answer_is_not_taken_for_the_answer(program: Program) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let (answer, ()) = tokio::join!(gateway.get("/v1/models"), async {
        let mut server = backend.accept().await;
        server.read_head().await;
        server
            .send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
            .await;
        server
            .send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer")
            .await;
    });
    assert_eq!((answer.status, answer.text()), (200, "answer"));
}

async fn http_1_0_clients_are_served(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    // The length is unknown, and HTTP/1.0 has no chunks.
    backend.handle().push(Behavior::large(100_000));
    let response = Wire::exchange(gateway.address(), "GET /x HTTP/1.0\r\n\r\n").await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert_eq!(body.len(), 100_000);
    assert_eq!(last(&backend).version, Version::HTTP_11);
}

async fn http_2_clients_are_served_without_tls(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let answer = gateway.http2().post("/v1/files?x=1", "question").await;
    assert_eq!((answer.status, answer.version), (200, Version::HTTP_2));
    assert_eq!((answer.backend(), answer.text()), ("only", "question"));
    let arrived = last(&backend);
    assert_eq!(arrived.path_and_query(), "/v1/files?x=1");
    assert_eq!(arrived.version, Version::HTTP_11);
    assert_eq!(arrived.headers["host"], backend.addr().to_string());
}

async fn pipelined_requests_are_answered_in_order(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let response = Wire::exchange(
        gateway.address(),
        "POST /1 HTTP/1.1\r\nhost: gateway\r\ncontent-length: 5\r\n\r\nfirst\
         POST /2 HTTP/1.1\r\nhost: gateway\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecond",
    )
    .await;
    assert_eq!(response.matches("HTTP/1.1 200 ").count(), 2, "{response}");
    let (first, second) = (
        response.find("first").unwrap(),
        response.find("second").unwrap(),
    );
    assert!(first < second, "{response}");
}

async fn connections_to_the_backend_are_used_again(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    for _ in 0..30 {
        assert_eq!(
            gateway
                .post("/v1/chat/completions", "question")
                .await
                .status,
            200
        );
    }
    // A connection may not be back in the pool yet when the next request comes, which then opens another one.
    let connections = backend.handle().stats().connections;
    assert!(connections < 10, "{connections} connections");
}

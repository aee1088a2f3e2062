//! Header fields that backends and clients see: all, except those of one connection and foreign credentials.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request};
use spillover_testing::{MockUpstream, upstream::RecordedRequest};
use spillover_tests::{
    e2e::{Gateway, Program, Wire, WireUpstream, answer, behaving, healthy, request, with},
    for_both_gateways, gateway, production,
};

for_both_gateways!(
    fields_of_one_connection_do_not_reach_the_backend,
    fields_of_one_connection_do_not_reach_the_client,
    backend_with_a_key_sees_it_and_none_of_the_client,
    connection_field_cannot_take_the_backends_key_away,
    clients_credentials_pass_to_a_backend_without_a_key,
    client_that_expects_100_continue_gets_it_from_the_gateway,
    body_goes_on_with_one_length_however_many_it_came_with,
    request_id_reaches_the_backend_the_client_and_the_log,
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

/// Returns the names of the fields, without those that every message has.
fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
    names.retain(|name| !["host", "content-length", "date", "x-request-id"].contains(name));
    names.sort_unstable();
    names
}

const CLIENT_CREDENTIALS: [(&str, &str); 5] = [
    ("authorization", "Bearer of-the-client"),
    ("api-key", "of-the-client"),
    ("ocp-apim-subscription-key", "of-the-client"),
    ("x-api-key", "of-the-client"),
    ("x-goog-api-key", "of-the-client"),
];

/// Returns a request with every credential that a client may have.
fn with_credentials() -> Request<Body> {
    let mut request = request("GET", "/v1/models", Body::empty());
    for (name, value) in CLIENT_CREDENTIALS {
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
    }
    request
}

async fn fields_of_one_connection_do_not_reach_the_backend(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let request = "POST /v1/files HTTP/1.1\r\nhost: gateway\r\n\
        connection: close, X-Named\r\nconnection: x-also-named\r\n\
        keep-alive: timeout=5\r\nproxy-connection: close\r\nproxy-authorization: Basic x\r\n\
        te: gzip\r\nupgrade: h2c\r\ntransfer-encoding: chunked\r\n\
        x-named: 1\r\nx-also-named: 2\r\nx-kept: 3\r\nx-kept: 4\r\n\r\n\
        8\r\nquestion\r\n0\r\n\r\n";
    let response = Wire::exchange(gateway.address(), request).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");

    let arrived = last(&backend);
    assert_eq!(arrived.body, "question");
    // The body has no length, so the gateway sends it in chunks of its own.
    assert_eq!(names(&arrived.headers), ["transfer-encoding", "x-kept"]);
    let kept: Vec<_> = arrived.headers.get_all("x-kept").iter().collect();
    assert_eq!(kept, ["3", "4"]);
}

async fn fields_of_one_connection_do_not_reach_the_client(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let fields = [
        ("connection", "X-Named"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("upgrade", "h2c"),
        ("x-named", "1"),
        ("x-kept", "2"),
        ("x-ratelimit-remaining-tokens", "3"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ];
    backend.handle().push(answer(200, &fields));

    let answer = gateway.get("/v1/models").await;
    let expected = [
        "set-cookie",
        "x-kept",
        "x-ratelimit-remaining-tokens",
        "x-spillover-backend",
    ];
    assert_eq!(names(&answer.headers), expected);
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
}

async fn backend_with_a_key_sees_it_and_none_of_the_client(program: Program) {
    let backend = healthy().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .key("only", "of-the-backend")
        .start()
        .await;

    let asked = with_credentials();
    let answer = gateway.send(asked).await;
    assert_eq!(answer.status, 200);
    let headers = last(&backend).headers;
    assert_eq!(names(&headers), ["api-key"]);
    assert_eq!(headers["api-key"], "of-the-backend");
}

async fn connection_field_cannot_take_the_backends_key_away(program: Program) {
    let backend = healthy().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .key("only", "of-the-backend")
        .start()
        .await;
    let request =
        "GET /v1/models HTTP/1.1\r\nhost: gateway\r\nconnection: close, api-key, host\r\n\r\n";
    Wire::exchange(gateway.address(), request).await;
    assert_eq!(last(&backend).headers["api-key"], "of-the-backend");
    assert_eq!(last(&backend).headers["host"], backend.addr().to_string());
}

async fn clients_credentials_pass_to_a_backend_without_a_key(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let asked = with_credentials();
    assert_eq!(gateway.send(asked).await.status, 200);
    let headers = last(&backend).headers;
    for (name, value) in CLIENT_CREDENTIALS {
        assert_eq!(headers[name], value);
    }
    if program.is_production() {
        let line = gateway
            .wait_for_line(|line| line["message"] == "backend")
            .await;
        assert_eq!(line["credential"], "the client's own, passed through");
    }
}

#[tokio::test]
async fn backend_url_is_exposed_only_if_configured() {
    let backend = healthy().await;
    let silent = in_front_of(production!(), &backend)
        .await
        .get("/v1/models")
        .await;
    assert_eq!(silent.backend(), "only");
    assert_eq!(silent.header("x-openai-backendurl"), None);

    let gateway = gateway!()
        .backend("only", 1, backend.url())
        .env("EXPOSE_BACKEND_URL", "true");
    let open = gateway.start().await.get("/v1/models").await;
    assert_eq!(open.backend(), "only");
    assert_eq!(open.header("x-openai-backendurl"), Some(&*backend.url()));
}

async fn client_that_expects_100_continue_gets_it_from_the_gateway(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("POST /v1/files HTTP/1.1\r\nhost: gateway\r\ncontent-length: 8\r\nexpect: 100-continue\r\n\r\n")
        .await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 100 "));
    client.send("question").await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 200 "));
    client.read_until("question").await;
    assert_eq!(names(&last(&backend).headers), [""; 0]);
}

async fn body_goes_on_with_one_length_however_many_it_came_with(program: Program) {
    let backend = WireUpstream::bind().await;
    let gateway = program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await;
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send(
            "POST /x HTTP/1.1\r\nhost: gateway\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
             8\r\nquestion\r\n0\r\n\r\n",
        )
        .await;

    let mut server = backend.accept().await;
    let head = server.read_head().await;
    assert!(
        head.contains("transfer-encoding: chunked") && !head.contains("content-length"),
        "{head}"
    );
    server.read_until("8\r\nquestion\r\n0\r\n\r\n").await;
}

async fn request_id_reaches_the_backend_the_client_and_the_log(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let with_id = |id: &'static str| {
        with(
            request("GET", "/v1/models", Body::empty()),
            "x-request-id",
            id,
        )
    };

    let kept = gateway.send(with_id("id-7")).await;
    assert_eq!(kept.header("x-request-id"), Some("id-7"));
    assert_eq!(last(&backend).headers["x-request-id"], "id-7");

    let made = gateway.get("/v1/models").await;
    let made = made.header("x-request-id").expect("an id").to_owned();
    assert_eq!(made.len(), 36);
    assert_eq!(last(&backend).headers["x-request-id"], made.as_str());
    let log = gateway.stop().await.stderr;
    for id in ["id-7", &made] {
        assert!(log.contains(&format!("id\":\"{id}\"")), "{id}: {log}");
    }
}

#[tokio::test]
async fn request_ids_of_client_and_backend_are_in_the_log() {
    let backend = behaving(answer(200, &[("x-request-id", "req_of_backend")])).await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let question = with(
        request("GET", "/v1/models", Body::empty()),
        "x-request-id",
        "id-7",
    );
    let answer = gateway.send(question).await;
    assert_eq!(answer.header("x-request-id"), Some("req_of_backend"));
    let line = gateway
        .wait_for_line(|line| line["message"] == "request")
        .await;
    assert_eq!(line["request_id"], "id-7");
    assert_eq!(line["upstream_request_id"], "req_of_backend");
}

#[tokio::test]
async fn refusals_of_the_gateway_have_an_id_and_bad_ids_are_replaced() {
    let gateway = gateway!()
        .backend("only", 1, "http://127.0.0.1:9")
        .start()
        .await;
    let question = with(
        request("GET", "/v1/models", Body::empty()),
        "x-request-id",
        "a b",
    );
    let answer = gateway.send(question).await;
    assert_eq!(answer.status, 502);
    let id = answer.header("x-request-id").expect("an id");
    assert_eq!(id.len(), 36, "{id}");
    let line = gateway
        .wait_for_line(|line| line["message"] == "request")
        .await;
    assert_eq!(line["request_id"], id);
    assert!(line.get("upstream_request_id").is_none(), "{line}");
}

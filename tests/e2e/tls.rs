//! Backends over TLS: HTTP/2 if they offer it, else HTTP/1.1, and no connection without a trusted certificate.

use std::future::pending;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use spillover_tests::{
    e2e::{Authority, GatewayBuilder, Program, TlsUpstream, Wire, healthy, request},
    for_both_gateways, gateway,
};

for_both_gateways!(
    http_2_is_spoken_to_a_backend_that_offers_it,
    http_1_is_spoken_to_a_backend_that_offers_nothing_else,
    http_1_is_spoken_to_a_backend_that_offers_nothing,
    request_by_http_1_becomes_a_valid_one_by_http_2,
    certificate_of_an_unknown_authority_is_not_trusted,
    certificate_for_another_host_is_not_trusted,
    refusal_over_http_2_before_the_body_was_read_moves_the_whole_body_on,
    attempt_that_is_given_up_leaves_the_connection_to_the_others,
    trailers_pass_from_backend_to_client,
    no_key_is_in_the_log_of_a_connection_over_tls,
);

/// Answers with the request's body, and describes the request.
async fn echo(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let seen = format!("{:?} {} {}", head.version, head.method, head.uri.path());
    let names: Vec<_> = head.headers.keys().map(|name| name.as_str()).collect();
    let body = body.collect().await.expect("the whole body").to_bytes();
    Response::builder()
        .header("x-seen", seen)
        .header("x-seen-fields", names.join(" "))
        .body(Body::from(body))
        .expect("a valid response")
}

/// Returns a gateway that trusts the authority, in front of this backend.
fn in_front_of(program: Program, authority: &Authority, backend: &TlsUpstream) -> GatewayBuilder {
    let gateway = program.gateway().backend("only", 1, backend.url());
    gateway.env("SSL_CERT_FILE", authority.file())
}

/// Checks the HTTP version that is used with a backend of these protocols.
async fn assert_spoken(program: Program, protocols: &[&str], version: &str) {
    let authority = Authority::new();
    let backend = TlsUpstream::start(&authority, protocols, echo).await;
    let gateway = in_front_of(program, &authority, &backend).start().await;

    for _ in 0..5 {
        let answer = gateway.post("/v1/chat/completions?x=1", "question").await;
        assert_eq!(
            (answer.status, answer.backend(), answer.text()),
            (200, "only", "question")
        );
        let seen = format!("{version} POST /v1/chat/completions");
        assert_eq!(answer.header("x-seen"), Some(&*seen));
    }
    if version == "HTTP/2.0" {
        assert_eq!(backend.connections(), 1);
    }
}

async fn http_2_is_spoken_to_a_backend_that_offers_it(program: Program) {
    assert_spoken(program, &["h2", "http/1.1"], "HTTP/2.0").await;
}

async fn http_1_is_spoken_to_a_backend_that_offers_nothing_else(program: Program) {
    assert_spoken(program, &["http/1.1"], "HTTP/1.1").await;
}

async fn http_1_is_spoken_to_a_backend_that_offers_nothing(program: Program) {
    assert_spoken(program, &[], "HTTP/1.1").await;
}

async fn request_by_http_1_becomes_a_valid_one_by_http_2(program: Program) {
    let authority = Authority::new();
    let backend = TlsUpstream::start(&authority, &["h2"], echo).await;
    let gateway = in_front_of(program, &authority, &backend).start().await;
    let request = "POST /v1/files HTTP/1.1\r\nhost: gateway\r\nconnection: close, x-named\r\n\
        keep-alive: timeout=5\r\nx-named: 1\r\ntransfer-encoding: chunked\r\nx-kept: 2\r\n\r\n\
        8\r\nquestion\r\n0\r\n\r\n";
    let response = Wire::exchange(gateway.address(), request).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.ends_with("question"), "{response}");
    let fields = response
        .lines()
        .find_map(|line| line.strip_prefix("x-seen-fields: "))
        .unwrap();
    let fields: Vec<_> = fields
        .split(' ')
        .filter(|name| !matches!(*name, "host" | "x-request-id"))
        .collect();
    assert_eq!(fields, ["x-kept"]);
}

/// Checks that an untrusted backend is skipped, and that a request fails without another one.
async fn assert_not_trusted(program: Program, authority: &Authority, backend: TlsUpstream) {
    let next = healthy().await;
    let gateway = in_front_of(program, authority, &backend).backend("next", 2, next.url());
    let answer = gateway
        .start()
        .await
        .post("/v1/chat/completions", "question")
        .await;
    assert_eq!(
        (answer.status, answer.backend(), answer.text()),
        (200, "next", "question")
    );

    let alone = in_front_of(program, authority, &backend).start().await;
    let answer = alone.post("/v1/chat/completions", "question").await;
    assert_eq!(answer.status, 502);
    assert!(!program.is_production() || answer.error()["code"] == "bad_gateway");
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    // Only the log, for the operator, has the reason.
    let failed = alone
        .wait_for_line(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            ["attempt failed", "no backend answered"].contains(&message)
        })
        .await;
    assert!(
        failed["error"]
            .to_string()
            .to_ascii_lowercase()
            .contains("certificate"),
        "{failed}"
    );
}

async fn certificate_of_an_unknown_authority_is_not_trusted(program: Program) {
    let (authority, other) = (Authority::new(), Authority::new());
    let backend = TlsUpstream::start(&other, &["h2"], echo).await;
    assert_not_trusted(program, &authority, backend).await;
}

async fn certificate_for_another_host_is_not_trusted(program: Program) {
    let authority = Authority::new();
    let backend = TlsUpstream::start_as("other.example", &authority, &["h2"], echo).await;
    assert_not_trusted(program, &authority, backend).await;
}

async fn refusal_over_http_2_before_the_body_was_read_moves_the_whole_body_on(program: Program) {
    let authority = Authority::new();
    let throttling = TlsUpstream::start(&authority, &["h2"], |_| async {
        let response = Response::builder().status(429).body(Body::empty());
        response.expect("a valid response")
    })
    .await;
    let next = healthy().await;
    let gateway = in_front_of(program, &authority, &throttling).backend("next", 2, next.url());
    let gateway = gateway.start().await;

    let body: Bytes = (0..4_u32 << 20).map(|at| (at % 251) as u8).collect();
    let answer = gateway.post("/v1/files", body.clone()).await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert!(next.handle().last_request().unwrap().body == body);
    assert_eq!(gateway.wait_for_closed(1).await[0]["class"], "throttled");
}

async fn attempt_that_is_given_up_leaves_the_connection_to_the_others(program: Program) {
    let authority = Authority::new();
    let backend = TlsUpstream::start(&authority, &["h2"], |request| async {
        if request.uri().path() == "/stall" {
            pending::<()>().await;
        }
        echo(request).await
    })
    .await;
    // Each thread has connections of its own.
    let gateway = in_front_of(program, &authority, &backend)
        .env("HTTP_TIMEOUT_SECONDS", "0.5")
        .env("TOKIO_WORKER_THREADS", "1");
    let gateway = gateway.start().await;

    assert_eq!(gateway.get("/v1/models").await.status, 200);
    let (stalled, served) = tokio::join!(gateway.get("/stall"), gateway.get("/v1/models"));
    assert_eq!((stalled.status, served.status), (504, 200));
    assert_eq!(gateway.get("/v1/models").await.status, 200);
    assert_eq!(backend.connections(), 1);
}

async fn trailers_pass_from_backend_to_client(program: Program) {
    let authority = Authority::new();
    let backend = TlsUpstream::start(&authority, &["h2"], |_| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let body = Full::from("answer").with_trailers(async { Some(Ok(trailers)) });
        Response::new(Body::new(body))
    })
    .await;
    let gateway = in_front_of(program, &authority, &backend).start().await;

    let answer = gateway.http2().post("/service/Method", "question").await;
    assert_eq!(answer.text(), "answer");
    assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
}

async fn no_key_is_in_the_log_of_a_connection_over_tls(program: Program) {
    let authority = Authority::new();
    let backend = TlsUpstream::start(&authority, &["h2"], echo).await;
    for gateway in [
        in_front_of(program, &authority, &backend),
        in_front_of(program, &authority, &backend).key("only", "s3cret-value-of-the-backend"),
    ] {
        let gateway = gateway.env("RUST_LOG", "trace").start().await;
        let mut request = request("POST", "/v1/chat/completions", "question");
        request.headers_mut().insert(
            "api-key",
            HeaderValue::from_static("s3cret-value-of-the-client"),
        );
        assert_eq!(gateway.send(request).await.status, 200);

        let log = gateway.stop().await.stderr;
        assert!(log.contains(r#""level":"TRACE""#));
        assert!(!log.contains("s3cret"), "{log}");
    }
}

#[tokio::test]
async fn missing_root_certificates_are_named_in_the_error() {
    let exit = gateway!()
        .backend("only", 1, "https://127.0.0.1:9")
        .env("SSL_CERT_FILE", "/nonexistent.pem")
        .run()
        .await;
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(
        exit.stderr
            .contains("no root certificates for https backends"),
        "{}",
        exit.stderr
    );
    assert!(exit.stderr.contains("SSL_CERT_FILE"), "{}", exit.stderr);
}

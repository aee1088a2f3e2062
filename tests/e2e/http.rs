//! HTTP beyond requests and answers with a body: expectations, empty answers, trailers, stream resets, and uploads of
//! any size.

use std::{convert::Infallible, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use spillover_testing::MockUpstream;
use spillover_tests::{
    e2e::{
        Answer, Authority, Client, Gateway, GatewayBuilder, Program, RefusingPort, TlsUpstream,
        Wire, WireUpstream, answer, healthy, request, soon,
    },
    for_both_gateways, gateway, production,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
};

for_both_gateways!(
    client_that_waits_for_it_is_told_to_continue,
    client_that_does_not_wait_is_answered_as_well,
    refusal_of_the_backend_does_not_wait_for_the_body,
    options_are_the_backends_to_answer,
    trailers_pass_both_ways_after_a_refusal,
    stream_that_the_client_resets_is_reset_at_the_backend,
    stream_that_the_backend_resets_is_reset_at_the_client,
    expectation_over_http_2_does_no_harm,
);

const EXPECTING: &str = "POST /v1/files HTTP/1.1\r\nhost: gateway\r\ncontent-length: 8\r\n\
    expect: 100-continue\r\n\r\n";

async fn in_front_of(program: Program, backend: &MockUpstream) -> Gateway {
    program
        .gateway()
        .backend("only", 1, backend.url())
        .start()
        .await
}

fn over_tls(program: Program, authority: &Authority, backend: &TlsUpstream) -> GatewayBuilder {
    let gateway = program.gateway().backend("only", 1, backend.url());
    gateway.env("SSL_CERT_FILE", authority.file())
}

async fn client_that_waits_for_it_is_told_to_continue(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let json = EXPECTING.replace("expect", "content-type: application/json\r\nexpect");
    for head in [EXPECTING, &json] {
        let mut client = Wire::connect(gateway.address()).await;
        client.send(head).await;
        assert_eq!(client.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("question").await;
        let head = client.read_head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        client.read_until("question").await;

        let seen = backend.handle().last_request().unwrap();
        assert_eq!(seen.body, "question");
        assert!(!seen.headers.contains_key("expect"));
    }
}

async fn client_that_does_not_wait_is_answered_as_well(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let mut client = Wire::connect(gateway.address()).await;
    client.send(format!("{EXPECTING}question")).await;
    client.read_until("HTTP/1.1 200 OK\r\n").await;
    client.read_until("\r\n\r\nquestion").await;
}

#[tokio::test]
async fn early_refusal_comes_without_100_continue() {
    let refusing = RefusingPort::bind();
    let gateway = gateway!().backend("only", 1, refusing.url()).start().await;
    for (head, status) in [
        (EXPECTING.to_owned(), "502"),
        (EXPECTING.replace("POST", "TRACE"), "405"),
    ] {
        let mut client = Wire::connect(gateway.address()).await;
        client.send(head).await;
        let head = client.read_head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        // The unsent body is not taken for a request, and the next request not for the body.
        assert!(client.read_to_end().await.contains("error"));
    }
}

async fn refusal_of_the_backend_does_not_wait_for_the_body(program: Program) {
    for status in [401, 413] {
        let backend = WireUpstream::bind().await;
        let gateway = program
            .gateway()
            .backend("only", 1, backend.url())
            .start()
            .await;
        let mut client = Wire::connect(gateway.address()).await;
        client.send(EXPECTING).await;
        let mut server = backend.accept().await;
        let head = server.read_head().await;
        assert!(!head.contains("expect"), "{head}");
        server
            .send(format!(
                "HTTP/1.1 {status} No\r\ncontent-length: 2\r\n\r\nno"
            ))
            .await;
        // The gateway reads the body as soon as there is a backend for it.
        assert_eq!(client.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        let head = client.read_head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        client.read_until("no").await;
    }
}

/// Returns the answer to HEAD, and checks that the connection still serves.
async fn head_of(gateway: &Gateway) -> String {
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("HEAD /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n")
        .await;
    let head = client.read_head().await.to_ascii_lowercase();
    client
        .send("GET /healthz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")
        .await;
    let rest = client.read_to_end().await;
    assert!(rest.starts_with("HTTP/1.1 200 "), "{rest}");
    head
}

fn length(head: &str) -> Option<&str> {
    let mut lines = head.lines();
    lines.find_map(|line| line.strip_prefix("content-length: "))
}

#[tokio::test]
async fn head_has_the_length_of_the_backend_and_no_other() {
    for (field, expected) in [
        ("content-length: 42\r\n", Some("42")),
        ("content-length: 0\r\n", Some("0")),
        ("transfer-encoding: chunked\r\n", None),
        ("", None),
    ] {
        let backend = WireUpstream::bind().await;
        let gateway = gateway!().backend("only", 1, backend.url()).start().await;
        let serve = async {
            let mut server = backend.accept().await;
            server.read_head().await;
            server
                .send(format!(
                    "HTTP/1.1 200 OK\r\n{field}connection: close\r\n\r\n"
                ))
                .await;
        };
        let (head, ()) = tokio::join!(head_of(&gateway), serve);
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert_eq!(length(&head), expected, "{field:?}: {head}");
    }
}

/// Answers with a body of known or unknown length, by the path. HEAD gets the same head as GET.
async fn models(request: Request<Incoming>) -> Response<Body> {
    let is_head = request.method() == "HEAD";
    let body = match (request.uri().path(), is_head) {
        ("/known", false) => Body::from("answer"),
        (_, false) => Body::from_stream(stream::iter([Ok::<_, Infallible>("answer")])),
        // The end of the stream comes in a frame of its own.
        ("/late", true) => Body::from_stream(stream::iter([Ok::<_, Infallible>("")])),
        (_, true) => Body::empty(),
    };
    let mut response = Response::new(body);
    if request.uri().path() == "/known" {
        let length = HeaderValue::from_static("6");
        response.headers_mut().insert("content-length", length);
    }
    response
}

#[tokio::test]
async fn head_is_the_same_over_http_2() {
    let authority = Authority::new();
    for protocol in ["h2", "http/1.1"] {
        let backend = TlsUpstream::start(&authority, &[protocol], models).await;
        let gateway = over_tls(production!(), &authority, &backend).start().await;
        for (path, expected) in [("/known", Some("6")), ("/unknown", None), ("/late", None)] {
            for client in [Client::http1(gateway.address()), gateway.http2()] {
                let get: Answer = client.get(path).await;
                assert_eq!(get.text(), "answer");
                let head = client.send(request("HEAD", path, Body::empty())).await;
                assert_eq!((head.status, head.text()), (200, ""));
                let seen = head.header("content-length");
                assert_eq!(seen, expected, "{protocol} {path} {:?}", head.version);
            }
        }
    }
}

async fn options_are_the_backends_to_answer(program: Program) {
    let backend = healthy().await;
    let gateway = in_front_of(program, &backend).await;
    let allow = [("allow", "GET, POST"), ("access-control-allow-origin", "*")];
    backend.handle().push(answer(204, &allow));
    let mut preflight = request("OPTIONS", "/v1/models", Body::empty());
    let origin = HeaderValue::from_static("https://app.example");
    preflight.headers_mut().insert("origin", origin);
    let seen = gateway.send(preflight).await;
    assert_eq!((seen.status, seen.backend()), (204, "only"));
    for (name, value) in allow {
        assert_eq!(seen.header(name), Some(value));
    }
    let asked = backend.handle().last_request().unwrap();
    assert_eq!(asked.headers["origin"], "https://app.example");
}

/// Returns the request's body and trailers, and tells if trailers were welcome.
async fn echo_trailers(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("the whole body");
    let trailers = body.trailers().cloned().unwrap_or_default();
    let body = Full::from(body.to_bytes()).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    if let Some(te) = head.headers.get("te") {
        response.headers_mut().insert("x-te", te.clone());
    }
    let version = HeaderValue::try_from(format!("{:?}", head.version)).expect("a value");
    response.headers_mut().insert("x-version", version);
    response
}

fn with_trailers(body: &'static str) -> Request<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("42"));
    let body = Full::<Bytes>::from(body).with_trailers(async { Some(Ok(trailers)) });
    let mut request = request("POST", "/service/Method", Body::new(body));
    let te = HeaderValue::from_static("trailers");
    request.headers_mut().insert("te", te);
    request
}

#[tokio::test]
async fn trailers_pass_both_ways_over_http_2() {
    let authority = Authority::new();
    let backend = TlsUpstream::start(&authority, &["h2"], echo_trailers).await;
    let gateway = over_tls(production!(), &authority, &backend).start().await;
    let answer = gateway.http2().send(with_trailers("question")).await;
    assert_eq!((answer.status, answer.version), (200, Version::HTTP_2));
    assert_eq!(answer.text(), "question");
    assert_eq!(answer.header("x-version"), Some("HTTP/2.0"));
    assert_eq!(answer.header("x-te"), Some("trailers"));
    assert_eq!(answer.trailers.unwrap()["x-checksum"], "42");
}

#[tokio::test]
async fn protocol_http2_is_used_without_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service =
                service_fn(async |request| Ok::<_, Infallible>(echo_trailers(request).await));
            let server = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    let throttling = healthy().await;
    throttling.handle().push(answer(429, &[]));
    let file = format!(
        "[[pools]]\n{}{}http2 = true\n",
        backend("first", 1, throttling.url()),
        backend("known", 2, url),
    );
    let gateway = gateway!().config(&file).start().await;
    let address = gateway.address();

    for client in [Client::http1(address), Client::http2(address)] {
        let answer = client.send(with_trailers("question")).await;
        assert_eq!((answer.status, answer.backend()), (200, "known"));
        assert_eq!(answer.header("x-version"), Some("HTTP/2.0"));
        assert_eq!(answer.text(), "question");
    }
    let seen = throttling.handle().last_request().unwrap();
    assert_eq!(seen.version, Version::HTTP_11);
}

async fn trailers_pass_both_ways_after_a_refusal(program: Program) {
    let authority = Authority::new();
    let backend = TlsUpstream::start(&authority, &["h2"], echo_trailers).await;
    let throttling = healthy().await;
    throttling.handle().push(answer(429, &[]));
    let gateway = program
        .gateway()
        .backend("first", 1, throttling.url())
        .backend("next", 2, backend.url())
        .env("SSL_CERT_FILE", authority.file())
        .start()
        .await;
    let answer = gateway.http2().send(with_trailers("question")).await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_eq!(answer.text(), "question");
    assert_eq!(answer.trailers.unwrap()["x-checksum"], "42");
}

#[tokio::test]
async fn trailers_pass_to_an_http_1_client_that_accepts_them() {
    let backend = WireUpstream::bind().await;
    let gateway = gateway!().backend("only", 1, backend.url()).start().await;
    let mut client = Wire::connect(gateway.address()).await;
    client
        .send("GET /x HTTP/1.1\r\nhost: gateway\r\nte: trailers\r\nconnection: te\r\n\r\n")
        .await;
    let mut server = backend.accept().await;
    assert!(server.read_head().await.contains("te: trailers\r\n"));
    server
        .send("HTTP/1.1 200 OK\r\ntrailer: x-checksum\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    server
        .send("6\r\nanswer\r\n0\r\nx-checksum: 42\r\n\r\n")
        .await;
    client
        .read_until("6\r\nanswer\r\n0\r\nx-checksum: 42\r\n\r\n")
        .await;
}

fn backend(name: &str, priority: u32, url: String) -> String {
    format!(
        "[[pools.backends]]\nname = {name:?}\npriority = {priority}\nurl = {url:?}\ncredential = \"passthrough\"\n"
    )
}

/// A body that continues until it is stopped, and reports when it is dropped.
struct Endless {
    frames: mpsc::Sender<Result<Frame<Bytes>, &'static str>>,
    is_unwanted: Arc<Notify>,
}

/// Starts a gateway in front of an HTTP/2 backend that answers with such a body.
async fn endless(
    program: Program,
    authority: &Authority,
) -> (Gateway, TlsUpstream, mpsc::Receiver<Endless>) {
    let (begun, begins) = mpsc::channel(1);
    let backend = TlsUpstream::start(authority, &["h2"], move |_| {
        let begun = begun.clone();
        async move {
            let (frames, mut receiver) = mpsc::channel(1);
            let is_unwanted = Arc::new(Notify::new());
            let unwanted = is_unwanted.clone();
            tokio::spawn({
                let frames = frames.clone();
                async move {
                    frames.closed().await;
                    unwanted.notify_one();
                }
            });
            let body = stream::poll_fn(move |cx| receiver.poll_recv(cx));
            let endless = Endless {
                frames,
                is_unwanted,
            };
            begun.send(endless).await.expect("the test goes on");
            Response::new(Body::new(StreamBody::new(body)))
        }
    })
    .await;
    let gateway = over_tls(program, authority, &backend).start().await;
    (gateway, backend, begins)
}

async fn stream_that_the_client_resets_is_reset_at_the_backend(program: Program) {
    let authority = Authority::new();
    let (gateway, _backend, mut begins) = endless(program, &authority).await;
    let mut answer = gateway.http2().open(request("GET", "/x", "")).await;
    let endless = soon(begins.recv()).await.unwrap();
    let data = Frame::data(Bytes::from("first"));
    endless.frames.send(Ok(data)).await.unwrap();
    assert!(soon(answer.frame()).await.unwrap().is_ok());

    drop(answer);
    soon(endless.is_unwanted.notified()).await;
    let line = gateway.wait_for_requests(1).await.remove(0);
    assert!(line["end"] == "cancelled" || !program.is_production());
}

async fn stream_that_the_backend_resets_is_reset_at_the_client(program: Program) {
    let authority = Authority::new();
    let (gateway, _backend, mut begins) = endless(program, &authority).await;
    for client in [gateway.http2(), Client::http1(gateway.address())] {
        let mut answer = client.open(request("GET", "/x", "")).await;
        let endless = soon(begins.recv()).await.unwrap();
        let data = Frame::data(Bytes::from("first"));
        endless.frames.send(Ok(data)).await.unwrap();
        assert!(soon(answer.frame()).await.unwrap().is_ok());

        endless.frames.send(Err("out of order")).await.unwrap();
        let error = soon(answer.frame()).await.unwrap();
        assert!(error.is_err(), "it is not taken for the end");
    }
    let lines = gateway.wait_for_requests(2).await;
    let is_broken = |line: &serde_json::Value| line["end"] == "broken" || !program.is_production();
    assert!(lines.iter().all(is_broken));
}

#[tokio::test]
async fn stream_that_the_backend_resets_before_its_answer_moves_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // An error of the service resets its stream.
            let service = service_fn(async |_| Err::<Response<Body>, _>("not me"));
            let server = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    let next = healthy().await;
    let file = format!(
        "[[pools]]\n{}http2 = true\n{}",
        backend("resetting", 1, url),
        backend("next", 2, next.url()),
    );
    let gateway = gateway!().config(&file).start().await;

    let client = gateway.http2();
    let answer = client.post("/v1/files", "question").await;
    assert_eq!((answer.status, answer.backend()), (200, "next"));
    assert_eq!(answer.text(), "question");
}

async fn expectation_over_http_2_does_no_harm(program: Program) {
    let authority = Authority::new();
    let backend = TlsUpstream::start(&authority, &["h2"], models).await;
    let gateway = over_tls(program, &authority, &backend).start().await;
    let mut asked = request("POST", "/known", "question");
    let expect = HeaderValue::from_static("100-continue");
    asked.headers_mut().insert("expect", expect);
    assert_eq!(gateway.http2().send(asked).await.status, 200);
}

//! nginx and Node as backends, which send GOAWAY and read `Host` in their own ways.

use std::{net::TcpListener as StdListener, path::Path, process::Stdio};

use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use spillover_tests::{
    e2e::{Answer, Authority, Files, Gateway, backend, eventually, pool, soon},
    gateway, tools,
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};
use tower::{BoxError, ServiceBuilder, ServiceExt, timeout::TimeoutLayer};
use tower_spillover::{Backend, Pool, ServiceBuilderExt};

/// A server on a local port. Dropping it kills it.
struct Program {
    _child: Child,
    port: u16,
}

impl Program {
    async fn start(command: &mut Command, port: u16) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let child = child.expect("the program can be run");
        eventually(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        Self {
            _child: child,
            port,
        }
    }
}

fn free_port() -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Starts nginx with this in its `server`. It answers with the protocol version and the `Host` that it read.
async fn nginx(nginx: &Path, files: &Files, server: &str) -> Program {
    let port = free_port();
    let folder = files.path("");
    let folder = folder.display();
    let server = server.replace("PORT", &port.to_string());
    files.write(
        "nginx.conf",
        &format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log info;
             events {{}}
             http {{
                 access_log off;
                 client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
                 uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
                 server {{
                     {server}
                     location / {{ return 200 \"$server_protocol $http_host $host:$server_port\"; }}
                 }}
             }}"
        ),
    );
    let mut command = Command::new(nginx);
    command.arg("-p").arg(files.path("")).arg("-c");
    command.arg(files.path("nginx.conf")).stderr(Stdio::null());
    Program::start(&mut command, port).await
}

async fn in_front_of(url: &str, rest: &str) -> Gateway {
    let text = format!(
        "[[listeners]]\naddress = \"127.0.0.1:0\"\n{}{}",
        pool("p", ""),
        backend("only", url, rest)
    );
    gateway!().without("LISTEN").config(&text).start().await
}

/// Sends requests over HTTP/1.1 and HTTP/2, with and without a body.
async fn ask(gateway: &Gateway) -> [Answer; 3] {
    [
        gateway.get("/v1/models").await,
        gateway.post("/v1/chat/completions", "{}").await,
        gateway.http2().post("/v1/chat/completions", "{}").await,
    ]
}

fn assert_all(answers: &[Answer], expected: &str) {
    for answer in answers {
        assert_eq!((answer.status, answer.text()), (200, expected));
    }
}

#[tokio::test]
async fn nginx_gets_the_host_in_the_way_of_each_version() {
    let Some(program) = tools::nginx() else {
        return;
    };
    let files = Files::new();
    let server = nginx(&program, &files, "listen 127.0.0.1:PORT http2;").await;
    let port = server.port;
    let url = format!("http://127.0.0.1:{port}");
    let gateway = in_front_of(&url, "protocol = \"http2\"").await;
    // The value of `$http_host` over HTTP/2 depends on nginx's version: 1.29.1 fills it from `:authority`.
    for answer in ask(&gateway).await {
        let text = answer.text();
        let is_right =
            text.starts_with("HTTP/2.0 ") && text.ends_with(&format!("127.0.0.1:{port}"));
        assert!(answer.status == 200 && is_right, "{} {text}", answer.status);
    }

    let files = Files::new();
    let server = nginx(&program, &files, "listen 127.0.0.1:PORT;").await;
    let port = server.port;
    let gateway = in_front_of(&format!("http://127.0.0.1:{port}"), "").await;
    let expected = format!("HTTP/1.1 127.0.0.1:{port} 127.0.0.1:{port}");
    assert_all(&ask(&gateway).await, &expected);
}

#[tokio::test]
async fn nginx_over_tls_gets_the_configured_protocol() {
    let Some(program) = tools::nginx() else {
        return;
    };
    let authority = Authority::new();
    let files = Files::new();
    authority.issue("127.0.0.1").write(&files.path(""));
    let folder = files.path("");
    let tls = format!(
        "listen 127.0.0.1:PORT ssl http2; ssl_certificate {0}/cert.pem; ssl_certificate_key {0}/key.pem;",
        folder.display()
    );
    let server = nginx(&program, &files, &tls).await;
    let port = server.port;
    for (protocol, version) in [
        ("auto", "HTTP/2.0"),
        ("http1", "HTTP/1.1"),
        ("http2", "HTTP/2.0"),
    ] {
        let url = format!("https://127.0.0.1:{port}");
        let ca = authority.file().display();
        let rest = format!("protocol = \"{protocol}\"\nca = \"{ca}\"");
        let gateway = in_front_of(&url, &rest).await;
        for answer in ask(&gateway).await {
            let text = answer.text();
            let is_right =
                text.starts_with(version) && text.ends_with(&format!(" 127.0.0.1:{port}"));
            assert!(
                answer.status == 200 && is_right,
                "{protocol}: {} {text}",
                answer.status
            );
        }
    }
}

#[tokio::test]
async fn nginx_that_ends_connections_loses_no_request() {
    let Some(program) = tools::nginx() else {
        return;
    };
    for (listen, protocol) in [("PORT", "http1"), ("PORT http2", "http2")] {
        let files = Files::new();
        let server = format!("listen 127.0.0.1:{listen}; keepalive_requests 7;");
        let server = nginx(&program, &files, &server).await;
        let url = format!("http://127.0.0.1:{}", server.port);
        let gateway = in_front_of(&url, &format!("protocol = \"{protocol}\"")).await;
        assert_none_is_lost(&gateway).await;
    }
}

/// Checks that no request is lost when twelve clients send forty requests each.
async fn assert_none_is_lost(gateway: &Gateway) {
    let client = async || {
        let client = gateway.http2();
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(client.post("/v1/chat/completions", "{}").await.status);
        }
        statuses
    };
    let statuses = join_all((0..12).map(|_| client())).await.concat();
    assert_eq!(statuses, [200; 480]);
    assert_eq!(gateway.wait_for_closed(480).await.len(), 0);
}

async fn node(node: &Path, files: &Files, script: &str) -> Program {
    files.write("server.js", script);
    let port = free_port();
    let mut command = Command::new(node);
    command.arg(files.path("server.js")).arg(port.to_string());
    Program::start(&mut command, port).await
}

/// Ends each session after twenty requests.
const ENDS_SESSIONS: &str = "
    const server = require('http2').createServer();
    server.on('session', (session) => { session.count = 0; session.on('error', () => {}); });
    server.on('stream', (stream) => {
        stream.on('error', () => {});
        if (++stream.session.count == 20) stream.session.close();
        stream.resume();
        stream.on('end', () => { try { stream.respond({':status': 200}); stream.end('fine'); } catch (e) {} });
    });
    server.listen(+process.argv[2], '127.0.0.1');";

/// Accepts five streams at a time.
const FEW_STREAMS: &str = "
    const server = require('http2').createServer({settings: {maxConcurrentStreams: 5}});
    server.on('stream', (stream) => {
        stream.on('error', () => {});
        stream.resume();
        stream.on('end', () => setTimeout(() => { stream.respond({':status': 200}); stream.end('fine'); }, 30));
    });
    server.listen(+process.argv[2], '127.0.0.1');";

#[tokio::test]
async fn node_that_ends_sessions_loses_no_request() {
    let Some(program) = tools::node() else {
        return;
    };
    let files = Files::new();
    let server = node(&program, &files, ENDS_SESSIONS).await;
    let url = format!("http://127.0.0.1:{}", server.port);
    let gateway = in_front_of(&url, "protocol = \"http2\"").await;
    assert_none_is_lost(&gateway).await;
}

#[tokio::test]
async fn node_that_takes_few_streams_refuses_no_burst() {
    let Some(program) = tools::node() else {
        return;
    };
    let files = Files::new();
    let server = node(&program, &files, FEW_STREAMS).await;
    let url = format!("http://127.0.0.1:{}", server.port);
    let gateway = in_front_of(&url, "protocol = \"http2\"").await;
    let client = gateway.http2();
    let answers = join_all((0..60).map(|_| client.post("/v1/x", "{}"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(gateway.wait_for_closed(60).await.len(), 0);
}

fn pool_at(port: u16) -> Pool {
    let backend = Backend::builder("only").url(format!("http://127.0.0.1:{port}"));
    Pool::new([backend.build().expect("it is valid")]).expect("it is valid")
}

/// The layers over hyper's client and reqwest, which learn the version only from the connection.
#[tokio::test]
async fn layers_over_other_clients_name_the_host_once() {
    let Some(program) = tools::nginx() else {
        return;
    };
    for (listen, is_http2) in [("PORT http2", true), ("PORT", false)] {
        let files = Files::new();
        let server = nginx(&program, &files, &format!("listen 127.0.0.1:{listen};")).await;
        let request = || {
            let request = Request::post("/v1/x").header("host", "gateway.example");
            request
                .body(Full::<bytes::Bytes>::from("{}"))
                .expect("it is valid")
        };

        let mut builder = Client::builder(TokioExecutor::new());
        let client: Client<HttpConnector, _> = builder.http2_only(is_http2).build_http();
        let stack = ServiceBuilder::new().spillover(pool_at(server.port));
        let response = soon(stack.service(client).oneshot(request())).await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200, "{is_http2}");
        let text = response.into_body().collect().await.expect("a body");
        let text = String::from_utf8(text.to_bytes().into()).expect("text");
        let expected = format!("127.0.0.1:{}", server.port);
        assert!(text.ends_with(&expected), "{text}");

        let builder = reqwest::Client::builder().no_proxy();
        let builder = if is_http2 {
            builder.http2_prior_knowledge()
        } else {
            builder.http1_only()
        };
        let stack = ServiceBuilder::new()
            .spillover(pool_at(server.port))
            .layer(TimeoutLayer::new(std::time::Duration::from_secs(10)))
            .map_request(|request: Request<_>| {
                let request = request.map(reqwest::Body::wrap);
                reqwest::Request::try_from(request).expect("it is valid")
            })
            .map_response(http::Response::<reqwest::Body>::from)
            .service(builder.build().expect("it can be built"));
        let response = soon(stack.oneshot(request())).await;
        let response: Result<_, BoxError> = response;
        assert_eq!(response.expect("an answer").status(), 200, "{is_http2}");
    }
}

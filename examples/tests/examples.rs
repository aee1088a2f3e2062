//! Runs each example as a reader would, and checks its output. Sends requests to examples that are servers.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{convert::Infallible, process::Stdio, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use reqwest::{Body, Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use spillover_testing::upstream::MockUpstream;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
    time::{sleep, timeout},
};

/// The time limit of a test, so that a hanging test fails.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a program to its end, and returns the lines that it has printed. Asserts that the exit code is 0.
async fn run(program: &str) -> Vec<String> {
    let output = Command::new(program).kill_on_drop(true).output();
    let output = timeout(LIMIT, output).await.expect("it ends").unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().map(str::to_owned).collect()
}

/// A running server, stopped on drop.
struct Server {
    url: String,
    client: Client,
    _child: Child,
}

impl Server {
    /// Reads the URL from the first line of output.
    async fn start(program: &str) -> Self {
        let mut command = Command::new(program);
        let mut child = command
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(LIMIT, lines.next_line()).await.expect("it starts");
        let line = line.unwrap().expect("a line with the URL");
        let url = line.split(' ').find(|word| word.starts_with("http://"));
        Self {
            url: url.expect("the URL").to_owned(),
            client: Client::builder().no_proxy().build().unwrap(),
            _child: child,
        }
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        request.send().await.unwrap()
    }

    async fn post(&self, path: &str, body: &'static str) -> Response {
        let request = self.client.post(format!("{}{path}", self.url));
        request.body(body).send().await.unwrap()
    }
}

/// Returns the labels of the backends that answer, in order, until the first backend is open again.
async fn until_first_backend_is_open(mut ask: impl AsyncFnMut() -> String) -> Vec<String> {
    let mut labels = Vec::new();
    let asking = async {
        while !labels.ends_with(&["payg".to_owned(), "ptu".to_owned()]) {
            labels.push(ask().await);
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, asking)
        .await
        .expect("the first backend opens again");
    labels
}

#[tokio::test]
async fn hyper_example_runs() {
    assert_eq!(
        run(env!("CARGO_BIN_EXE_hyper")).await,
        [
            "200 OK from ptu, attempts: 1",
            "ptu throttles: come back in a second",
            "200 OK from payg, attempts: 2",
            "200 OK from payg, attempts: 1",
            "a second later",
            "200 OK from ptu, attempts: 1",
        ]
    );
}

#[tokio::test]
async fn reqwest_example_runs() {
    assert_eq!(
        run(env!("CARGO_BIN_EXE_reqwest")).await,
        [
            r#"200 OK from ptu: "This is ptu.""#,
            "ptu throttles: come back in a second",
            r#"200 OK from payg: "This is payg.""#,
            "a second later",
            r#"200 OK from ptu: "This is ptu.""#,
        ]
    );
}

#[tokio::test]
async fn tonic_example_runs() {
    assert_eq!(
        run(env!("CARGO_BIN_EXE_tonic")).await,
        [
            "served by ptu, attempts: 1",
            "ptu and sweden throttle: come back in a second, in a minute",
            "served by france, attempts: 3",
            "  Hello says france",
            "  world says france",
            "served by france, attempts: 1",
            "a second later",
            "served by ptu, attempts: 1",
        ]
    );
}

#[tokio::test]
async fn grpc_proxy_example_runs() {
    let lines = run(env!("CARGO_BIN_EXE_grpc_proxy")).await;
    let (lines, last) = lines.split_at(4);
    assert_eq!(
        lines,
        [
            "Hello says ptu",
            "ptu and sweden throttle for a minute",
            "Hello says france",
            "france throttles for a minute",
        ]
    );
    // The refusal of the backend and that of the layers both have the wait until a backend opens.
    for (line, message) in last
        .iter()
        .zip(["too many calls", "all backends are closed"])
    {
        let said = format!("ResourceExhausted: {message}, come back in ");
        let wait = line
            .strip_prefix(&said)
            .and_then(|wait| wait.strip_suffix(" ms"));
        let ms: u32 = wait.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        assert!((1..=60_000).contains(&ms), "{ms}");
    }
    assert_eq!(last.len(), 2);
}

#[tokio::test]
async fn classify_example_runs() {
    let lines = run(env!("CARGO_BIN_EXE_classify")).await;
    let expected = [
        "with the classifier of GitHub",
        "/missing: 404 Not Found by alice, alice: Open",
        "/repos/private: 200 OK by bob, alice: Open",
        "/user: 200 OK by bob, alice: Throttled",
        "  ",
        // The request was sent to alice first.
        "/search: 200 OK by bob, alice: Throttled(5",
        "with the default",
        "/missing: 404 Not Found by alice, alice: Open",
        "/repos/private: 200 OK by bob, alice: Failing",
        "/user: 200 OK by bob, alice: Failing",
        "/search: 200 OK by bob, alice: Failing",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{lines:#?}");
    }
}

#[tokio::test]
async fn credential_example_runs() {
    assert_eq!(
        run(env!("CARGO_BIN_EXE_credential")).await,
        [
            "at first",
            "  getting a token for ptu",
            "  200 OK",
            "again",
            "  200 OK",
            "ptu throttles",
            "  getting a token for payg",
            "  200 OK",
            "later",
            "  getting a token for ptu",
            "  200 OK",
            r#"ptu got Some("Bearer token-of-ptu"), and from the client None"#,
            r#"ptu got Some("Bearer token-of-ptu"), and from the client None"#,
            r#"ptu got Some("Bearer token-of-ptu"), and from the client None"#,
            r#"ptu got Some("Bearer token-of-ptu"), and from the client None"#,
            r#"payg got Some("Bearer token-of-payg"), and from the client None"#,
        ]
    );
}

#[tokio::test]
async fn axum_example_serves() {
    let server = Server::start(env!("CARGO_BIN_EXE_axum")).await;
    let backends = until_first_backend_is_open(async || {
        let response = server.post("", "Hello!").await;
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["answer"], "Hello from the mock upstream.");
        answer["backend"].as_str().unwrap().to_owned()
    });
    assert_eq!(backends.await[0], "ptu");
}

/// The running example gateway, and its log, in which it prints its address.
struct Gateway {
    url: String,
    client: Client,
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Gateway {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = timeout(LIMIT, log.next_line()).await.expect("it starts");
        let line: Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        Self {
            url: format!("http://{}", line["address"].as_str().unwrap()),
            client: Client::builder().no_proxy().build().unwrap(),
            child,
            log,
        }
    }

    /// Returns a request with secrets in all places where clients may put them.
    fn post(&self, body: impl Into<Body>) -> RequestBuilder {
        let url = format!("{}/v1/chat/completions?key=s3cret", self.url);
        let request = self.client.post(url).body(body);
        request.header("api-key", "s3cret").bearer_auth("s3cret")
    }

    /// Sends a request. Returns the backend, the id and the status of the response.
    async fn ask(&self, request: RequestBuilder) -> (String, String, StatusCode) {
        let response = request.send().await.unwrap();
        let field = |name| {
            let value = response.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let (backend, id) = (field("x-spillover-backend"), field("x-request-id"));
        (backend, id, response.status())
    }

    /// Stops the gateway, and returns its log.
    async fn end(mut self) -> String {
        self.child.start_kill().unwrap();
        let mut log = String::new();
        while let Some(line) = self.log.next_line().await.unwrap() {
            log += &(line + "\n");
        }
        log
    }
}

#[tokio::test]
async fn gateway_example_serves() {
    let ptu = MockUpstream::builder().api_key("s3cret-of-ptu").start();
    let payg = MockUpstream::builder().api_key("s3cret-of-payg").start();
    let (ptu, payg) = (ptu.await.unwrap(), payg.await.unwrap());
    let gateway = Gateway::start(&[
        ("BACKEND_PTU_URL", &ptu.url()),
        ("BACKEND_PTU_PRIORITY", "1"),
        ("BACKEND_PTU_APIKEY", "s3cret-of-ptu"),
        ("BACKEND_PAYG_URL", &payg.url()),
        ("BACKEND_PAYG_PRIORITY", "2"),
        ("BACKEND_PAYG_APIKEY", "s3cret-of-payg"),
        ("CORS_ORIGIN", "https://app.example"),
    ])
    .await;
    const CHAT: &str = r#"{"model": "gpt-4o", "messages": []}"#;

    // The id of the client or a new id is sent to the backend.
    let with_id = gateway.post(CHAT).header("x-request-id", "42");
    let (backend, id, status) = gateway.ask(with_id).await;
    assert_eq!((&*backend, &*id, status), ("ptu", "42", StatusCode::OK));
    assert_eq!(
        ptu.handle().last_request().unwrap().headers["x-request-id"],
        "42"
    );
    let (_, id, _) = gateway.ask(gateway.post(CHAT)).await;
    assert_eq!(
        ptu.handle().last_request().unwrap().headers["x-request-id"],
        id
    );

    // A body above the limit is refused, by its `content-length` or while it is read. That closes no backend.
    const LIMIT: usize = 64 << 20;
    let mut wire = TcpStream::connect(gateway.url.replace("http://", ""))
        .await
        .unwrap();
    let head = format!(
        "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        LIMIT + 1
    );
    wire.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    wire.read_exact(&mut status).await.unwrap();
    assert_eq!(status.as_slice(), b"HTTP/1.1 413");

    let pieces = [Bytes::from(vec![0; LIMIT]), Bytes::from_static(b"!")];
    let too_long = Body::wrap_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
    let (_, _, status) = gateway.ask(gateway.post(too_long)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(gateway.ask(gateway.post(CHAT)).await.0, "ptu");

    let busy = http::Response::builder().status(429);
    ptu.handle()
        .push(busy.header("retry-after", "1").body("").unwrap());
    let backends =
        until_first_backend_is_open(async || gateway.ask(gateway.post(CHAT)).await.0).await;
    assert_eq!(backends[0], "payg");

    let preflight = gateway.client.request(Method::OPTIONS, &gateway.url);
    let preflight = preflight.header("origin", "https://app.example").send();
    let preflight = preflight.await.unwrap();
    assert_eq!(
        preflight.headers()["access-control-allow-origin"],
        "https://app.example"
    );

    // The log has a line per request: three were served, two refused, some sent until the backend was open, one preflight.
    let log = gateway.end().await;
    let requests = log.matches(r#""message":"request""#).count();
    assert_eq!(requests, 3 + 2 + backends.len() + 1, "{log}");
    assert!(log.contains(r#""backend":"payg","attempts":2"#), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

#[tokio::test]
async fn reverse_proxy_example_serves() {
    let server = Server::start(env!("CARGO_BIN_EXE_reverse_proxy")).await;
    let health = server.get("/healthz").await;
    assert_eq!(health.text().await.unwrap(), "ok\n");

    let backends = until_first_backend_is_open(async || {
        let chat = r#"{"model": "gpt-4o", "messages": []}"#;
        let response = server.post("/v1/chat/completions", chat).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.headers()["x-backend"].to_str().unwrap().to_owned()
    });
    assert_eq!(backends.await[0], "ptu");

    // Requests with other methods pass.
    assert_eq!(server.get("/nothing").await.status(), StatusCode::NOT_FOUND);

    // TRACE would return the key of the backend.
    let trace = server.client.request(Method::TRACE, &server.url);
    let trace = trace.send().await.unwrap();
    assert_eq!(trace.status(), StatusCode::METHOD_NOT_ALLOWED);

    // The backends speak HTTP/1.1 only.
    let mut client = legacy::Client::builder(TokioExecutor::new());
    let client = client.http2_only(true).build_http::<Full<Bytes>>();
    let models = format!("{}/v1/models", server.url).parse().unwrap();
    assert_eq!(client.get(models).await.unwrap().status(), StatusCode::OK);
}

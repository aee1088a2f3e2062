//! Runs each example as a reader would, and looks at what it prints; the servers among them are sent requests.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{process::Stdio, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

/// A test that would hang fails here instead.
const LIMIT: Duration = Duration::from_secs(60);

/// The lines that a program has printed when it ended, with exit code 0.
async fn run(program: &str) -> Vec<String> {
    let output = Command::new(program).kill_on_drop(true).output();
    let output = timeout(LIMIT, output).await.expect("it ends").unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().map(str::to_owned).collect()
}

/// A program that serves, until this is dropped.
struct Server {
    url: String,
    client: Client,
    _child: Child,
}

impl Server {
    /// Reads the URL off the first line.
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

/// The labels of the backends that answer, one after the other, until the first one is back from a throttle.
async fn until_it_is_back(mut ask: impl AsyncFnMut() -> String) -> Vec<String> {
    let mut labels = Vec::new();
    let asking = async {
        while !labels.ends_with(&["payg".to_owned(), "ptu".to_owned()]) {
            labels.push(ask().await);
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, asking).await.expect("it comes back");
    labels
}

#[tokio::test]
async fn hyper() {
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
async fn reqwest() {
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
async fn tonic() {
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
async fn grpc_proxy() {
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
    // What the backend says, and what is said in its place: both tell when the first of the pool opens.
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
async fn classify() {
    let lines = run(env!("CARGO_BIN_EXE_classify")).await;
    let expected = [
        "with the classifier of GitHub",
        "/missing: 404 Not Found by alice, alice: Open",
        "/repos/private: 200 OK by bob, alice: Open",
        "/user: 200 OK by bob, alice: Throttled",
        "  ",
        // She was asked again.
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
async fn credential() {
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
async fn axum() {
    let server = Server::start(env!("CARGO_BIN_EXE_axum")).await;
    let backends = until_it_is_back(async || {
        let response = server.post("", "Hello!").await;
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["answer"], "Hello from the mock upstream.");
        answer["backend"].as_str().unwrap().to_owned()
    });
    assert_eq!(backends.await[0], "ptu");
}

#[tokio::test]
async fn reverse_proxy() {
    let server = Server::start(env!("CARGO_BIN_EXE_reverse_proxy")).await;
    let health = server.get("/healthz").await;
    assert_eq!(health.text().await.unwrap(), "ok\n");

    let backends = until_it_is_back(async || {
        let chat = r#"{"model": "gpt-4o", "messages": []}"#;
        let response = server.post("/v1/chat/completions", chat).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.headers()["x-backend"].to_str().unwrap().to_owned()
    });
    assert_eq!(backends.await[0], "ptu");

    // What is not refused is passed on, whatever it is.
    assert_eq!(server.get("/nothing").await.status(), StatusCode::NOT_FOUND);

    // It would come back with the key of the backend in it.
    let trace = server.client.request(Method::TRACE, &server.url);
    let trace = trace.send().await.unwrap();
    assert_eq!(trace.status(), StatusCode::METHOD_NOT_ALLOWED);

    // The backends speak HTTP/1.1 only.
    let mut client = legacy::Client::builder(TokioExecutor::new());
    let client = client.http2_only(true).build_http::<Full<Bytes>>();
    let models = format!("{}/v1/models", server.url).parse().unwrap();
    assert_eq!(client.get(models).await.unwrap().status(), StatusCode::OK);
}

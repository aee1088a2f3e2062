use std::{fs, net::SocketAddr};

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::{Exit, Files, log::Log};
use crate::e2e::{Answer, Client, soon};

/// A gateway that listens. It is killed when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    stdout: Log,
    stderr: Log,
    address: SocketAddr,
    client: Client,
    files: Option<Files>,
}

impl Gateway {
    pub(super) async fn start(command: &mut Command, files: Option<Files>) -> Self {
        let mut child = command.spawn().expect("the program can be run");
        let stdout = Log::read(child.stdout.take().expect("it is piped"));
        let stderr = Log::read(child.stderr.take().expect("it is piped"));
        let listening = stderr
            .wait_for(1, |line| line["message"] == "listening")
            .await;
        let address = listening[0]["address"].as_str().expect("an address");
        let address = address.parse().expect("an address");
        Self {
            child,
            stdout,
            stderr,
            address,
            client: Client::http1(address),
            files,
        }
    }

    /// The directory of its configuration file.
    pub fn files(&self) -> &Files {
        self.files
            .as_ref()
            .expect("it was given a configuration file")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks for `path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await
    }

    /// Sends `body` to `path`.
    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.client.post(path, body).await
    }

    /// Sends a request, whose URI is a path, and waits for the whole answer.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        self.client.send(request).await
    }

    /// Sends a request, whose URI is a path, and waits for the head of the answer.
    pub async fn open(&self, request: Request<Body>) -> Response<Incoming> {
        self.client.open(request).await
    }

    /// A client that speaks HTTP/2 from the first byte on, over one connection.
    pub fn http2(&self) -> Client {
        Client::http2(self.address)
    }

    /// A client of its admin listener.
    pub async fn admin(&self) -> Client {
        let line = self.wait_for_line(|line| line["message"] == "admin").await;
        let address = line["address"].as_str().expect("an address");
        Client::http1(address.parse().expect("an address"))
    }

    /// Returns the lines that the gateway has logged so far, including those that a test has waited for.
    pub fn lines(&self) -> Vec<Value> {
        self.stderr.lines()
    }

    /// Waits for a line of the log of which `wanted` holds.
    pub async fn wait_for_line(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.stderr.wait_for(1, wanted).await.remove(0)
    }

    /// Waits until it has logged `count` requests. A line is written when the answer has ended, which the client may
    /// know before.
    pub async fn wait_for_requests(&self, count: usize) -> Vec<Value> {
        self.stderr
            .wait_for(count, |line| line["message"] == "request")
            .await
    }

    /// The lines about backends that it has closed, once it has logged `requests` requests.
    pub async fn wait_for_closed(&self, requests: usize) -> Vec<Value> {
        self.wait_for_requests(requests).await;
        let mut lines = self.lines();
        lines.retain(|line| line["message"] == "backend closed");
        lines
    }

    /// The most memory that it has had so far, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero()));
        let status = status.expect("it runs, on Linux");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
        peak.expect("a peak in kB")
    }

    /// Tells it to stop, as orchestrators do or as Ctrl-C does.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits for its end.
    pub async fn exit(mut self) -> Exit {
        let status = soon(self.child.wait()).await.expect("it can be waited for");
        Exit {
            code: status.code(),
            stdout: self.stdout.text().await,
            stderr: self.stderr.text().await,
        }
    }

    /// Tells it to stop, and waits for its end.
    pub async fn stop(self) -> Exit {
        self.signal(Signal::TERM);
        self.exit().await
    }

    fn pid(&self) -> Pid {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        pid.and_then(Pid::from_raw).expect("it runs")
    }
}

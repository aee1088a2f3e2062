use std::sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use bytes::Bytes;
use http::{Request, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::Notify;

/// A client that repeats a request, and counts the results.
#[derive(Debug)]
pub struct Traffic {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
    sent: AtomicU64,
    answered: AtomicU64,
    errors: AtomicU64,
    changed: Notify,
}

impl Traffic {
    /// Creates the client of a gateway with this base URL, which has the paths of Azure OpenAI.
    pub fn new(gateway: &str) -> Self {
        Self {
            url: format!(
                "{gateway}/openai/deployments/{DEPLOYMENT}/chat/completions?api-version=2024-10-21"
            ),
            client: Client::builder(TokioExecutor::new()).build_http(),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// Returns the number of requests that were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Returns the number of complete responses.
    pub fn answered(&self) -> u64 {
        self.answered.load(Acquire)
    }

    /// Returns the number of errors and incomplete responses.
    pub fn errors(&self) -> u64 {
        self.errors.load(Acquire)
    }

    /// Sends a request in a new task. Every second request asks for a stream.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn send(self: Arc<Self>) {
        let is_stream = self.sent.fetch_add(1, Relaxed) % 2 == 1;
        tokio::spawn(async move {
            let counter = match self.ask(is_stream).await {
                Ok(()) => &self.answered,
                Err(_) => &self.errors,
            };
            counter.fetch_add(1, Release);
            self.changed.notify_one();
        });
    }

    /// Waits for the end of all requests.
    pub async fn finish(&self) {
        while self.answered() + self.errors() < self.sent() {
            self.changed.notified().await;
        }
    }

    async fn ask(&self, is_stream: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let body = serde_json::json!({
            "messages": [{
                "role": "user",
                "content": "Tell me in one sentence why a gateway in front of several backends is of use.",
            }],
            "max_tokens": 20,
            "stream": is_stream,
        });
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))?;
        let response = self.client.request(request).await?;
        let status = response.status();
        let text = response.into_body().collect().await?.to_bytes();
        let end: &[u8] = if is_stream { b"[DONE]" } else { b"}" };
        if status.is_success() && text.trim_ascii_end().ends_with(end) {
            Ok(())
        } else {
            Err(format!("an answer with status {status}").into())
        }
    }
}

/// Deployment that the traffic asks for. Limits and cooldowns are per deployment.
pub const DEPLOYMENT: &str = "gpt-4o";

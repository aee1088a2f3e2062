use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::HeaderValue;

use super::{
    behavior::Behavior,
    provider::Provider,
    server::MockUpstream,
    shared::{Limits, Settings, Shared},
};
use crate::limit::Limit;

/// Builds a [`MockUpstream`].
#[derive(Debug)]
#[must_use]
pub struct Builder {
    addr: SocketAddr,
    settings: Settings,
    limits: Limits,
    behavior: Behavior,
}

impl MockUpstream {
    /// Returns a builder. By default the mock has no limit and requires no key.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            settings: Settings {
                provider: None,
                name: None,
                api_key: None,
                latency: Duration::ZERO,
                token_interval: Duration::ZERO,
                reply: "Hello from the mock upstream.".into(),
                recorded: 1_024,
            },
            limits: Limits::default(),
            behavior: Behavior::api(),
        }
    }

    /// Listens on `addr`. Default: a free port of 127.0.0.1.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// Mocks this provider: its paths, its errors, and its rule for `model` in the body. Default: none. Then the mock
    /// has the paths of all providers and Azure's errors.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.settings.provider = Some(provider);
        self
    }

    /// Puts `x-upstream: <name>` into every response.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not a valid header value.
    pub fn name(mut self, name: &str) -> Self {
        self.settings.name = Some(HeaderValue::from_str(name).expect("a header value"));
        self
    }

    /// Requires this key, in `api-key` or as a bearer token, and answers 401 without it. [OpenAI](Provider::OpenAi)
    /// does not read `api-key`.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.settings.api_key = Some(key.into());
        self
    }

    /// Limits all chat requests together, except to a [`deployment`](Self::deployment) with a limit of its own.
    pub fn limit(mut self, limit: impl Into<Limit>) -> Self {
        self.limits.shared = Some(limit.into());
        self
    }

    /// Limits the chat requests to one deployment: the segment of an Azure path, else the `model` of the body.
    pub fn deployment(mut self, name: impl Into<String>, limit: impl Into<Limit>) -> Self {
        self.limits.by_deployment.insert(name.into(), limit.into());
        self
    }

    /// Sets the assistant's reply. Default: a greeting. Each word is a token; `max_tokens` cuts the reply off.
    pub fn reply(mut self, text: impl Into<String>) -> Self {
        self.settings.reply = text.into();
        self
    }

    /// Sets the time from admitting a request to the start of its response. Refusals take no time.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.settings.latency = latency;
        self
    }

    /// Sets the time between two events of a streamed reply.
    pub fn token_interval(mut self, interval: Duration) -> Self {
        self.settings.token_interval = interval;
        self
    }

    /// Uses this behavior for every request instead of the [chat API](Behavior::api).
    pub fn behavior(mut self, behavior: impl Into<Behavior>) -> Self {
        self.behavior = behavior.into();
        self
    }

    /// Sets the number of newest requests that are recorded. Default: 1,024.
    pub fn recorded(mut self, requests: usize) -> Self {
        self.settings.recorded = requests;
        self
    }

    /// Binds the socket and starts to serve on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be bound.
    pub async fn start(self) -> io::Result<MockUpstream> {
        let shared = Shared::new(self.settings, self.limits, self.behavior);
        MockUpstream::start(self.addr, Arc::new(shared)).await
    }
}

use std::{fmt, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use spillover_core::{Backend, Cooldowns, StatusClassifier};
use tower_spillover::select::WhenExhausted;

use super::Route;
use crate::{affinity::AffinityConfig, client::Protocol, rules::HeaderRules};

/// Backends that stand in for each other, and which requests they get.
#[derive(Clone, Debug)]
pub(crate) struct PoolConfig {
    pub(crate) name: String,
    /// A request goes to the first pool with a route that takes it. Empty: all requests.
    pub(crate) routes: Vec<Route>,
    /// In the order of the pool; there is at least one.
    pub(crate) backends: Vec<BackendConfig>,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: PoolLimits,
    pub(crate) classifier: StatusClassifier,
    pub(crate) cooldowns: Cooldowns,
    pub(crate) when_exhausted: WhenExhausted,
    pub(crate) affinity: Option<AffinityConfig>,
    pub(crate) response_headers: HeaderRules,
    pub(crate) expose_backend_url: bool,
}

impl PoolConfig {
    /// For all requests, with the defaults.
    pub(crate) fn new(name: &str, backends: impl IntoIterator<Item = Backend>) -> Self {
        Self {
            name: name.into(),
            routes: Vec::new(),
            backends: backends.into_iter().map(BackendConfig::from).collect(),
            timeouts: Timeouts::default(),
            limits: PoolLimits::default(),
            classifier: StatusClassifier::new(),
            cooldowns: Cooldowns::default(),
            when_exhausted: WhenExhausted::default(),
            affinity: None,
            response_headers: HeaderRules::default(),
            expose_backend_url: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct BackendConfig {
    pub(crate) backend: Backend,
    pub(crate) credential: CredentialSource,
    pub(crate) request_headers: HeaderRules,
    pub(crate) response_headers: HeaderRules,
    pub(crate) protocol: Protocol,
    /// Certificates of who may have issued the backend's, in PEM format; without it the platform's count.
    pub(crate) ca: Option<Authorities>,
}

/// A file of certificates, and what was in it: with that changed it is another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Authorities {
    pub(crate) file: PathBuf,
    pub(crate) pem: Arc<[u8]>,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

impl From<Backend> for BackendConfig {
    /// With its own key, or else the client's.
    fn from(backend: Backend) -> Self {
        Self {
            credential: match backend.credential() {
                Some(_) => CredentialSource::Backend,
                None => CredentialSource::Client,
            },
            backend,
            request_headers: HeaderRules::default(),
            response_headers: HeaderRules::default(),
            protocol: Protocol::default(),
            ca: None,
        }
    }
}

/// Where a backend's credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialSource {
    /// The backend has it.
    Backend,
    /// A token of Entra ID for each request.
    Entra,
    /// The client's own.
    Client,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// To a connection.
    pub(crate) connect: Duration,
    /// To the head of the response.
    pub(crate) response_head: Duration,
    /// To the first content of a stream; then it goes out as it is.
    pub(crate) first_event: Duration,
    /// To the first content of a stream, from when the attempt began; then the request moves on, if another backend is left.
    pub(crate) first_token: Option<Duration>,
    /// Between two chunks of a response body.
    pub(crate) idle: Option<Duration>,
    /// From when the request came to when the last attempt begins.
    pub(crate) retry_deadline: Option<Duration>,
    /// From when the request came to the end of the response.
    pub(crate) total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            // What Azure's smart load balancing waits for a response by default.
            response_head: Duration::from_secs(100),
            first_event: Duration::from_secs(5),
            first_token: None,
            idle: Some(Duration::from_secs(300)),
            retry_deadline: None,
            total: None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolLimits {
    /// Bytes of a request body.
    pub(crate) body: Option<u64>,
    /// Bytes of a request body that are kept for another attempt.
    pub(crate) replay: Option<usize>,
    /// The same, of all requests.
    pub(crate) replay_total: Option<usize>,
    pub(crate) max_attempts: Option<NonZeroU32>,
}

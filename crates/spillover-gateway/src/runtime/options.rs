use std::{num::NonZeroU32, time::Duration};

use spillover_core::{Backend, Cooldowns, StatusClassifier};
use tower_spillover::{affinity::AffinityOptions, select::WhenExhausted};

use spillover_proxy::{
    HeaderRules,
    client_keys::ClientKey,
    cors::AllowedOrigins,
    upstream::{Authorities, ConnectSettings, Protocol},
};

use super::Route;
use crate::entra::{audience_of, scope_of};

/// Client keys and CORS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clients {
    /// Accepted keys. Empty: requests need no key.
    pub(crate) keys: Vec<ClientKey>,
    /// Origins whose pages may call the gateway. `None`: responses have no CORS fields.
    pub(crate) cors: Option<AllowedOrigins>,
}

/// Settings of a pool: backends that can serve the same requests, and the routes to them.
#[derive(Clone, Debug)]
pub(crate) struct PoolConfig {
    pub(crate) name: String,
    /// Routes to the pool. A request goes to the first pool with a matching route. Empty: all requests match.
    pub(crate) routes: Vec<Route>,
    /// At least one backend, in the order of the pool.
    pub(crate) backends: Vec<BackendConfig>,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: PoolLimits,
    pub(crate) classifier: StatusClassifier,
    pub(crate) cooldowns: Cooldowns,
    pub(crate) when_exhausted: WhenExhausted,
    pub(crate) affinity: AffinityOptions,
    pub(crate) response_headers: HeaderRules,
    pub(crate) expose_backend_url: bool,
}

impl PoolConfig {
    /// Creates the settings of a pool that takes all requests, with default values.
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
            affinity: AffinityOptions::default(),
            response_headers: HeaderRules::default(),
            expose_backend_url: false,
        }
    }
}

/// Settings of a backend that the pool itself does not need.
#[derive(Clone, Debug)]
pub(crate) struct BackendConfig {
    pub(crate) backend: Backend,
    pub(crate) credential: CredentialSource,
    /// Audience of the tokens of Entra ID. Default: by the URL of the backend.
    pub(crate) audience: Option<String>,
    pub(crate) request_headers: HeaderRules,
    pub(crate) response_headers: HeaderRules,
    pub(crate) protocol: Protocol,
    /// CA bundle for this backend. Default: the platform's roots.
    pub(crate) ca: Option<Authorities>,
}

impl BackendConfig {
    /// Returns the scope of the tokens of Entra ID that the backend gets, if it gets such tokens.
    pub(crate) fn token_scope(&self) -> Option<String> {
        let audience = self.audience.as_deref();
        let scope = || scope_of(audience.unwrap_or_else(|| audience_of(&self.backend)));
        (self.credential == CredentialSource::Entra).then(scope)
    }
}

impl From<Backend> for BackendConfig {
    /// Takes the credential of the backend, or else passes the client's through.
    fn from(backend: Backend) -> Self {
        Self {
            credential: match backend.credential() {
                Some(_) => CredentialSource::Backend,
                None => CredentialSource::Client,
            },
            backend,
            audience: None,
            request_headers: HeaderRules::default(),
            response_headers: HeaderRules::default(),
            protocol: Protocol::default(),
            ca: None,
        }
    }
}

/// Source of the credential that a backend gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialSource {
    /// The key in the settings of the backend.
    Backend,
    /// A token of Microsoft Entra ID.
    Entra,
    /// The credential of the client, passed through.
    Client,
}

/// Timeouts of a request to a pool. `None`: no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// Longest time to connect to a backend.
    pub(crate) connect: Duration,
    /// Longest time from the start of an attempt to its response head.
    pub(crate) response_head: Duration,
    /// Longest time that a stream is held back for its first content. Then it is passed on as it is.
    pub(crate) first_event: Duration,
    /// Longest time from the start of an attempt to the first content of a stream. Then the request goes to the next
    /// backend, if one is left.
    pub(crate) first_token: Option<Duration>,
    /// Longest time between two chunks of a response body.
    pub(crate) idle: Option<Duration>,
    /// Time after the arrival of a request from which no further attempt begins.
    pub(crate) retry_deadline: Option<Duration>,
    /// Longest time from the arrival of a request to the end of its response.
    pub(crate) total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: ConnectSettings::DEFAULT_TIMEOUT,
            // The default of the Azure smart load balancing policy.
            response_head: Duration::from_secs(100),
            first_event: Duration::from_secs(5),
            first_token: None,
            idle: Some(Duration::from_secs(300)),
            retry_deadline: None,
            total: None,
        }
    }
}

/// Limits of the requests to a pool. `None`: no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolLimits {
    /// Greatest size of a request body, in bytes.
    pub(crate) body: Option<u64>,
    /// Bytes of a request body that are saved for another attempt.
    pub(crate) replay: usize,
    /// Bytes that are saved for other attempts, of all requests together.
    pub(crate) replay_total: usize,
    /// Greatest number of attempts for a request.
    pub(crate) max_attempts: Option<NonZeroU32>,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            body: None,
            // The defaults of the retry layer: transcription endpoints take files of 25 MB.
            replay: 32 << 20,
            replay_total: 1 << 30,
            max_attempts: None,
        }
    }
}

//! The connections to the backends.

mod connector;
mod pooled;

use std::time::Duration;

use http_body::Body;
use hyper_util::{
    client::legacy::{self, connect::Connect},
    rt::{TokioExecutor, TokioTimer},
};

pub(crate) use self::{
    connector::{Connector, TCP_KEEPALIVE, TCP_KEEPALIVE_INTERVAL, WSS, connector, with_scheme},
    pooled::{BackendClient, Clients},
};
use crate::config::{Authorities, Timeouts};

/// One client for all backends that are connected to alike: it pools connections by scheme and authority.
pub(crate) type Client<C, B> = legacy::Client<C, B>;

/// How connections to a backend are made. Those of equal settings can stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnectSettings {
    /// A host that does not answer a SYN at all shall not hold a request for the whole HTTP timeout.
    pub(crate) timeout: Duration,
    /// Whether a backend is reached by TLS. Certificates are needed only there.
    pub(crate) needs_tls: bool,
    /// Certificates of who may have issued a backend's; without it the platform's count.
    pub(crate) ca: Option<Authorities>,
    /// Speaks HTTP/2 from the first byte on, also without TLS, where the protocol cannot be agreed on (RFC 9113 section 3.3).
    pub(crate) is_http2: bool,
}

impl ConnectSettings {
    /// With the defaults.
    pub(crate) fn new(needs_tls: bool) -> Self {
        Self {
            timeout: Timeouts::default().connect,
            needs_tls,
            ca: None,
            is_http2: false,
        }
    }

    /// The same for connections that are upgraded, which HTTP/2 knows nothing of.
    pub(crate) fn for_upgrades(&self) -> Self {
        Self {
            is_http2: false,
            ..self.clone()
        }
    }
}

/// Builds a client over connections that `connector` makes.
pub(crate) fn client<C, B>(connector: C, settings: &ConnectSettings) -> Client<C, B>
where
    C: Connect + Clone,
    B: Body<Data: Send> + Send,
{
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http2_only(settings.is_http2)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
        .build(connector)
}

/// Finds an HTTP/2 connection whose other side is gone before every request on it times out.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);

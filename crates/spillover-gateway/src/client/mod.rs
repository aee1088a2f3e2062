//! The connections to the backends.

mod connector;
mod kept;
mod pooled;
mod protocol;

pub(crate) use self::protocol::Protocol;
use std::time::Duration;

use http_body::Body;
use hyper_util::{
    client::legacy::{self, connect::Connect},
    rt::{TokioExecutor, TokioTimer},
};

pub(crate) use self::{
    connector::{Connector, Dialer, TCP_KEEPALIVE, TCP_KEEPALIVE_INTERVAL, WSS, with_scheme},
    pooled::{BackendClient, Clients},
};
use crate::site::{Authorities, Timeouts};

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
    pub(crate) protocol: Protocol,
    /// True when connections are kept for other requests. Otherwise each is for one.
    pub(crate) is_kept: bool,
}

impl ConnectSettings {
    /// With the defaults.
    pub(crate) fn new(needs_tls: bool) -> Self {
        Self {
            timeout: Timeouts::default().connect,
            needs_tls,
            ca: None,
            protocol: Protocol::Auto,
            is_kept: true,
        }
    }

    /// The settings that matter to connect, without the protocol.
    pub(crate) fn address(&self) -> Self {
        Self {
            protocol: Protocol::Auto,
            is_kept: true,
            ..self.clone()
        }
    }

    /// The same for a connection that no request was on before.
    pub(crate) fn fresh(&self) -> Self {
        Self {
            is_kept: false,
            ..self.clone()
        }
    }

    /// The same for connections that are upgraded, which HTTP/2 knows nothing of. Each is for one request, as it is gone
    /// after that in any case.
    pub(crate) fn for_upgrades(&self) -> Self {
        Self {
            protocol: Protocol::Http1,
            ..self.fresh()
        }
    }

    /// Returns true when connections speak HTTP/1.1 in any case, which is known before there is one.
    pub(crate) fn is_http1(&self) -> bool {
        match self.protocol {
            Protocol::Auto => !self.needs_tls,
            Protocol::Http1 => true,
            Protocol::Http2 => false,
        }
    }
}

/// Builds a client over connections that `connector` makes.
pub(crate) fn client<C, B>(connector: C, settings: &ConnectSettings) -> Client<C, B>
where
    C: Connect + Clone,
    B: Body<Data: Send> + Send,
{
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    if !settings.is_kept {
        builder.pool_max_idle_per_host(0);
    }
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http2_only(settings.protocol == Protocol::Http2)
        .http2_initial_max_send_streams(HTTP2_STREAMS_AT_FIRST)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
        .build(connector)
}

/// Finds an HTTP/2 connection whose other side is gone before every request on it times out.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);

/// The number of streams until a server says how many it takes. A server does so in its first frame, and refuses the streams above.
const HTTP2_STREAMS_AT_FIRST: usize = 1;

//! Connections to the backends.

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
    connector::{Connector, Dialer, WSS, with_scheme},
    pooled::{BackendClient, Clients},
};
use crate::site::{Authorities, Timeouts};

/// A client for all backends with equal connect settings. Pools connections by scheme and authority.
pub(crate) type Client<C, B> = legacy::Client<C, B>;

/// Settings of the connections to a backend. Backends with equal settings share a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnectSettings {
    /// Connect timeout, so that a host that answers no SYN does not use up the timeout of the response head.
    pub(crate) timeout: Duration,
    /// True for `https` backends. CA certificates are read only for them.
    pub(crate) needs_tls: bool,
    /// CA bundle for this backend. Default: the platform's roots.
    pub(crate) ca: Option<Authorities>,
    pub(crate) protocol: Protocol,
    /// True when connections are kept alive. Otherwise each serves one request.
    pub(crate) is_kept: bool,
}

impl ConnectSettings {
    /// Creates settings with default values.
    pub(crate) fn new(needs_tls: bool) -> Self {
        Self {
            timeout: Timeouts::default().connect,
            needs_tls,
            ca: None,
            protocol: Protocol::Auto,
            is_kept: true,
        }
    }

    /// Returns the settings that a [`Dialer`] needs, without the protocol.
    pub(crate) fn address(&self) -> Self {
        Self {
            protocol: Protocol::Auto,
            is_kept: true,
            ..self.clone()
        }
    }

    /// Returns the same settings for a new connection that serves one request.
    pub(crate) fn fresh(&self) -> Self {
        Self {
            is_kept: false,
            ..self.clone()
        }
    }

    /// Returns the same settings for connections to upgrade: HTTP/1.1, and one request each.
    pub(crate) fn for_upgrades(&self) -> Self {
        Self {
            protocol: Protocol::Http1,
            ..self.fresh()
        }
    }

    /// Returns true when every connection speaks HTTP/1.1, so that the protocol is known before one is open.
    pub(crate) fn is_http1(&self) -> bool {
        match self.protocol {
            Protocol::Auto => !self.needs_tls,
            Protocol::Http1 => true,
            Protocol::Http2 => false,
        }
    }
}

/// Builds a client over the connections of `connector`.
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

/// Interval of HTTP/2 pings, which close a connection to a lost host before every request on it times out.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);

/// Number of streams before the server's first SETTINGS frame, which has its limit. The server refuses streams above it.
const HTTP2_STREAMS_AT_FIRST: usize = 1;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use http_body::Body;
use hyper_util::{
    client::legacy::{self, connect::Connect},
    rt::{TokioExecutor, TokioTimer},
};

use super::Protocol;

/// A client for all backends with equal connect settings. Pools connections by scheme and authority.
pub type Client<C, B> = legacy::Client<C, B>;

/// Settings of the connections to a backend. Backends with equal settings share a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConnectSettings {
    /// Connect timeout. Without it, a host that answers no SYN would use up the timeout of the response head. Default: 5 s.
    pub timeout: Duration,
    /// True for `https` backends. CA certificates are read only for them.
    pub needs_tls: bool,
    /// CA bundle for this backend. Default: the platform's roots.
    pub ca: Option<Authorities>,
    /// HTTP version. Default: [`Protocol::Auto`].
    pub protocol: Protocol,
    /// True if connections are kept alive. Otherwise each serves one request.
    pub(super) is_kept: bool,
}

impl ConnectSettings {
    /// The default of [`timeout`](Self::timeout).
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// Creates settings with default values.
    #[must_use]
    pub fn new(needs_tls: bool) -> Self {
        Self {
            timeout: Self::DEFAULT_TIMEOUT,
            needs_tls,
            ca: None,
            protocol: Protocol::Auto,
            is_kept: true,
        }
    }

    /// Returns the settings that a [`Dialer`](super::Dialer) depends on. Settings that differ in the protocol only share a dialer.
    #[must_use]
    pub fn of_dialer(&self) -> Self {
        Self {
            protocol: Protocol::Auto,
            is_kept: true,
            ..self.clone()
        }
    }

    /// Returns the same settings for a new connection that serves one request.
    pub(super) fn fresh(&self) -> Self {
        Self {
            is_kept: false,
            ..self.clone()
        }
    }

    /// Returns the same settings for connections to upgrade: HTTP/1.1, and one request each.
    pub(super) fn for_upgrades(&self) -> Self {
        Self {
            protocol: Protocol::Http1,
            ..self.fresh()
        }
    }

    /// Returns true when every connection speaks HTTP/1.1, so that the protocol is known before one is open.
    pub(super) fn is_http1(&self) -> bool {
        match self.protocol {
            Protocol::Auto => !self.needs_tls,
            Protocol::Http1 => true,
            Protocol::Http2 => false,
        }
    }

    /// Builds a client over the connections of `connector`.
    pub fn client<C, B>(&self, connector: C) -> Client<C, B>
    where
        C: Connect + Clone,
        B: Body<Data: Send> + Send,
    {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        if !self.is_kept {
            builder.pool_max_idle_per_host(0);
        }
        builder
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http2_only(self.protocol == Protocol::Http2)
            .http2_initial_max_send_streams(HTTP2_STREAMS_AT_FIRST)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
            .build(connector)
    }
}

/// Interval of HTTP/2 pings, which close a connection to a lost host before every request on it times out.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);

/// Number of streams before the server's first SETTINGS frame, which has its limit. The server refuses streams above it.
const HTTP2_STREAMS_AT_FIRST: usize = 1;

/// A PEM file with CA certificates, and its contents. Two values are equal when both are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Authorities {
    /// Path of the file, for error messages.
    pub file: PathBuf,
    /// Contents of the file.
    pub pem: Arc<[u8]>,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{
    Uri,
    uri::{Parts, Scheme},
};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use spillover_serve::tls::authorities;
use tower::{BoxError, Service};

use super::{ConnectSettings, Protocol, keep_alive::KeepAlive};

/// The parts that connectors with equal settings share, such as the CA certificates, which are read once.
#[derive(Clone, Debug)]
pub struct Dialer {
    http: HttpConnector,
    tls: ClientConfig,
}

impl Dialer {
    /// Creates a dialer that connects by TCP, and with TLS 1.2 or later where the scheme is `https` or `wss`.
    ///
    /// # Errors
    ///
    /// Returns an error if the CA certificates cannot be read, or if there are none.
    pub fn new(settings: &ConnectSettings) -> io::Result<Self> {
        Ok(Self {
            http: http(settings),
            tls: tls(settings)?,
        })
    }

    /// Creates a connector that offers the protocol of these settings in ALPN.
    #[must_use]
    pub fn connector(&self, settings: &ConnectSettings) -> Connector {
        let mut tls = self.tls.clone();
        let offered: &[&[u8]] = match settings.protocol {
            Protocol::Auto => &[b"h2", b"http/1.1"],
            Protocol::Http1 => &[b"http/1.1"],
            Protocol::Http2 => &[b"h2"],
        };
        tls.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        Connector {
            inner: HttpsConnector::from((self.http.clone(), tls)),
            is_kept: settings.is_kept,
            is_http2: settings.protocol == Protocol::Http2,
        }
    }
}

fn http(settings: &ConnectSettings) -> HttpConnector {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(TCP_KEEPALIVE));
    http.set_keepalive_interval(Some(TCP_KEEPALIVE_INTERVAL));
    http.set_connect_timeout(Some(settings.timeout));
    http
}

fn tls(settings: &ConnectSettings) -> io::Result<ClientConfig> {
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let tls = match &settings.ca {
        _ if !settings.needs_tls => tls.with_root_certificates(RootCertStore::empty()),
        Some(ca) => {
            let authorities = authorities(&ca.file, &ca.pem).map_err(io::Error::other)?;
            tls.with_root_certificates(authorities)
        }
        None => tls.with_native_roots().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "no root certificates for https backends: {error}; install the package ca-certificates, or set \
                     SSL_CERT_FILE to a file of certificates in PEM format"
                ),
            )
        })?,
    };
    Ok(tls.with_no_client_auth())
}

/// Connects to `https` and `wss` over TLS, and to `http` in clear text.
#[derive(Clone, Debug)]
pub struct Connector {
    inner: HttpsConnector<HttpConnector>,
    is_kept: bool,
    is_http2: bool,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<KeepAlive<TokioIo<Io>>>;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Connecting {
        let target = if target.scheme_str() == Some(WSS) {
            with_scheme(Scheme::HTTPS, &target)
        } else {
            target
        };
        Connecting {
            inner: self.inner.call(target),
            is_kept: self.is_kept,
            is_http2: self.is_http2,
        }
    }
}

/// Response future of [`Connector`].
pub struct Connecting {
    inner: <HttpsConnector<HttpConnector> as Service<Uri>>::Future,
    is_kept: bool,
    is_http2: bool,
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

impl Future for Connecting {
    type Output = Result<TokioIo<KeepAlive<TokioIo<Io>>>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let io = ready!(self.inner.as_mut().poll(cx))?;
        let stream = KeepAlive::new(TokioIo::new(io), self.is_kept, self.is_http2);
        Poll::Ready(Ok(TokioIo::new(stream)))
    }
}

type Io = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;

/// Returns `uri` with another scheme.
pub(super) fn with_scheme(scheme: Scheme, uri: &Uri) -> Uri {
    let mut parts = Parts::from(uri.clone());
    parts.scheme = Some(scheme);
    // Cannot fail: only the scheme differs from a valid URI.
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// The scheme of a WebSocket over TLS (RFC 6455 section 3). Its connections do not offer HTTP/2, which has no upgrade.
pub(super) const WSS: &str = "wss";

/// Time without data after which TCP keep-alive probes the host. Closes, for example, an idle WebSocket to a lost host.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Time between two keep-alive probes. Linux sends nine before it closes the connection, so about three minutes pass.
const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

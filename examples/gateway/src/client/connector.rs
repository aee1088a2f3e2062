use std::{
    io,
    task::{Context, Poll},
    time::Duration,
};

use http::{
    Uri,
    uri::{Parts, Scheme},
};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tower::Service;

use super::ConnectSettings;
use crate::tls;

/// Connects by TCP, with TLS 1.2 at least where a backend wants it, and over that by HTTP/2 where the backend offers it.
pub(crate) fn connector(settings: &ConnectSettings) -> io::Result<Connector> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(TCP_KEEPALIVE));
    http.set_keepalive_interval(Some(TCP_KEEPALIVE_INTERVAL));
    http.set_connect_timeout(Some(settings.timeout));

    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let tls = match &settings.ca {
        _ if !settings.needs_tls => tls.with_root_certificates(RootCertStore::empty()),
        Some(ca) => {
            let authorities = tls::authorities(&ca.file, &ca.pem).map_err(io::Error::other)?;
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
    Ok(Connector::new(&http, &tls.with_no_client_auth()))
}

/// Connects to `https` by whatever the backend prefers, and to `wss` by HTTP/1.1.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    any: HttpsConnector<HttpConnector>,
    http1: HttpsConnector<HttpConnector>,
}

impl Connector {
    fn new(http: &HttpConnector, tls: &ClientConfig) -> Self {
        let speaking = |protocols: &[&[u8]]| {
            let mut tls = tls.clone();
            tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            HttpsConnector::from((http.clone(), tls))
        };
        Self {
            any: speaking(&[b"h2", b"http/1.1"]),
            http1: speaking(&[b"http/1.1"]),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = <HttpsConnector<HttpConnector> as Service<Uri>>::Error;
    type Future = <HttpsConnector<HttpConnector> as Service<Uri>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Both are over connections of the same kind.
        self.any.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        if target.scheme_str() == Some(WSS) {
            self.http1.call(with_scheme(Scheme::HTTPS, &target))
        } else {
            self.any.call(target)
        }
    }
}

/// The same with another scheme.
pub(crate) fn with_scheme(scheme: Scheme, uri: &Uri) -> Uri {
    let mut parts = Parts::from(uri.clone());
    parts.scheme = Some(scheme);
    // There is nothing in it that was not in the other.
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// The scheme of a WebSocket over TLS (RFC 6455 section 3). Its connections are kept apart from those that may speak HTTP/2,
/// which knows no upgrade.
pub(crate) const WSS: &str = "wss";

/// Finds out that a host is gone from whose connection nothing is awaited, such as that of an idle WebSocket.
pub(crate) const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Between the probes of a host that does not answer: with the nine of Linux it is given up after three minutes.
pub(crate) const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

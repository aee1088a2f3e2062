//! The connections to the backends.

use std::{io, time::Duration};

use http_body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        self,
        connect::{Connect, HttpConnector},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// One client for all backends: it pools connections by scheme and authority.
pub(crate) type Client<C, B> = legacy::Client<C, B>;

/// Builds the client over connections that `connector` makes.
pub(crate) fn client<C, B>(connector: C) -> Client<C, B>
where
    C: Connect + Clone,
    B: Body + Send,
    B::Data: Send,
{
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
        .build(connector)
}

/// Connects by TCP, with TLS where a backend wants it. The platform's root certificates are needed only there.
pub(crate) fn connector(needs_tls: bool) -> io::Result<HttpsConnector<HttpConnector>> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));

    let tls = if needs_tls {
        HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())
            .map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!(
                        "no root certificates for https backends: {error}; install the package ca-certificates, or set \
                         SSL_CERT_FILE to a file of certificates in PEM format"
                    ),
                )
            })?
    } else {
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        HttpsConnectorBuilder::new().with_tls_config(config)
    };
    Ok(tls
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http))
}

/// A host that does not answer a SYN at all shall not hold a request for the whole HTTP timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Finds an HTTP/2 connection whose other side is gone before every request on it times out.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);

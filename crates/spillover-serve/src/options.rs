use std::{path::PathBuf, time::Duration};

use super::ListenAddr;

/// Limits and timeouts of the connections from clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Greatest number of open connections, on all listeners together. Further ones wait to be accepted.
    pub max: usize,
    /// Longest time for a request head, from its first byte to its last, and for a TLS handshake.
    pub head_timeout: Duration,
    /// Longest time that a connection is kept without a request.
    pub idle_timeout: Duration,
    /// Longest wait for the next bytes of a request body. Counts only while the gateway reads.
    pub body_timeout: Duration,
    /// Longest time that a client may take no bytes of a response that is ready for it.
    pub write_timeout: Duration,
    /// Greatest size of a request head, in bytes.
    pub head_bytes: usize,
    /// Greatest number of fields in a request head.
    pub head_fields: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max: 10_000,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(600),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            head_bytes: 64 * 1024,
            // hyper needs no allocation per request up to this number.
            head_fields: 100,
        }
    }
}

/// Times of a graceful shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Time between "not ready" and the end of accepting, in which load balancers take the instance out of service.
    pub delay: Duration,
    /// Longest time for requests that are in flight when accepting ends. The rest is cut off.
    pub deadline: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            // Shorter than the 30 s after which Kubernetes and Docker Compose setups commonly kill.
            deadline: Duration::from_secs(25),
        }
    }
}

/// An address on which connections are accepted, in clear text or with TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// The address.
    pub address: ListenAddr,
    /// Certificate and key. `None`: connections are in clear text.
    pub tls: Option<Tls>,
}

impl Listener {
    /// Returns true when clients without a certificate are rejected.
    #[must_use]
    pub fn requires_certificates(&self) -> bool {
        let client = self.tls.as_ref().and_then(|tls| tls.client.as_ref());
        client.is_some_and(|client| client.is_required)
    }
}

/// PEM files of a listener. The gateway reads them at start, and again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain: the server's own certificate first, then the intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Client certificates (mutual TLS). `None`: clients are not asked for one.
    pub client: Option<ClientCertificate>,
}

/// Verification of client certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// CA bundle that client certificates must chain to.
    pub ca: PathBuf,
    /// True when clients without a certificate are rejected.
    pub is_required: bool,
}

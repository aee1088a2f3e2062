use std::{path::PathBuf, time::Duration};

use super::ListenAddr;

/// What a client's connection may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// At one time, on all listeners. Beyond it, new ones wait to be accepted.
    pub max: usize,
    /// For a whole head, from its first byte, and for the TLS handshake.
    pub head_timeout: Duration,
    /// Without a request.
    pub idle_timeout: Duration,
    /// The next bytes of a request body, while the gateway waits for them.
    pub body_timeout: Duration,
    /// The next bytes of a response that the client takes.
    pub write_timeout: Duration,
    /// Bytes of a head.
    pub head_bytes: usize,
    /// Fields of a head.
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
            // What needs no memory of its own for each request.
            head_fields: 100,
        }
    }
}

/// How the gateway stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// From when it says that it is not ready until it accepts no more connections: load balancers notice meanwhile.
    pub delay: Duration,
    /// For the requests under way then.
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

/// Where connections are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// The address.
    pub address: ListenAddr,
    /// Without it, connections are in clear text.
    pub tls: Option<Tls>,
}

impl Listener {
    /// Whether clients without a certificate are turned away.
    pub(crate) fn requires_certificates(&self) -> bool {
        let client = self.tls.as_ref().and_then(|tls| tls.client.as_ref());
        client.is_some_and(|client| client.is_required)
    }
}

/// Files in PEM format. They are read when the listener starts, and again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and those that lead to the root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// What clients show, if they are asked.
    pub client: Option<ClientCertificate>,
}

/// The certificates that clients have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Who may have issued them.
    pub ca: PathBuf,
    /// Whether a client without one is turned away.
    pub is_required: bool,
}

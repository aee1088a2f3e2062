use std::path::PathBuf;

use crate::config::ListenAddr;

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

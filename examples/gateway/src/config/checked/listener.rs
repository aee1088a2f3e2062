use std::path::PathBuf;

use crate::config::ListenAddr;

/// Where connections are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) address: ListenAddr,
    /// Without it, connections are in clear text.
    pub(crate) tls: Option<Tls>,
}

/// Files in PEM format. They are read when the listener starts, and again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The certificate, and those that lead to the root.
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client: Option<ClientCertificate>,
}

/// The certificates that clients have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// Who may have issued them.
    pub(crate) ca: PathBuf,
    /// Whether a client without one is turned away.
    pub(crate) is_required: bool,
}

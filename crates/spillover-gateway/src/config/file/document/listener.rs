use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use spillover_serve::ListenAddr;

/// Where clients connect.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Listener")]
pub(crate) struct ListenerTable {
    /// Host and port.
    #[schemars(example = "0.0.0.0:8080")]
    pub(crate) address: String,
    /// Without it, connections are in clear text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsTable>,
}

impl Default for ListenerTable {
    fn default() -> Self {
        Self {
            address: ListenAddr::default().to_string(),
            tls: None,
        }
    }
}

/// TLS for clients. The files are in PEM format, and read again when they change.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Tls", extend("required" = ["certificate", "key"]))]
pub(crate) struct TlsTable {
    /// The file of the certificate, and of those that lead to the root.
    #[schemars(required)]
    pub(crate) certificate: Option<PathBuf>,
    /// The file of its private key.
    #[schemars(required)]
    pub(crate) key: Option<PathBuf>,
    /// The file of who may have issued the certificates of clients. Without it, clients need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is turned away. Default with `client_ca`: `required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_certificate: Option<ClientCertificateWord>,
}

/// Whether clients need a certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ClientCertificate")]
pub(crate) enum ClientCertificateWord {
    /// Who has none is turned away.
    #[default]
    Required,
    /// Who has one must have a good one.
    Optional,
}

/// Where operators ask how the gateway does.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Admin", extend("required" = ["address"]))]
pub(crate) struct AdminTable {
    /// Host and port. Clients have no business there.
    #[schemars(required, example = "127.0.0.1:9090")]
    pub(crate) address: Option<String>,
}

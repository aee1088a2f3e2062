use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_serve::{ClientCertificate, Connections, ListenAddr, Listener, Shutdown, Tls};

use super::Check;
use crate::config::{
    file::Path,
    value::{Format, HeadSize, Pause, Timeout, Whole},
};

/// Address for clients.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Listener")]
pub(crate) struct ListenerTable {
    /// Host and port.
    #[schemars(example = "0.0.0.0:8080")]
    pub(crate) address: String,
    /// TLS for clients. Default: none, and connections are in clear text.
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
    /// File with the certificate, followed by the certificates that lead to the root.
    #[schemars(required)]
    pub(crate) certificate: Option<PathBuf>,
    /// File with the private key of the certificate.
    #[schemars(required)]
    pub(crate) key: Option<PathBuf>,
    /// CA bundle for the certificates of clients. Default: none, and clients need no certificate.
    pub(crate) client_ca: Option<PathBuf>,
    /// Rule for clients without a certificate: `"required"` rejects them, `"optional"` accepts them. Default: `"required"`,
    /// if `client_ca` is set.
    pub(crate) client_certificate: Option<ClientCertificateWord>,
}

/// Rule for clients without a certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ClientCertificate")]
pub(crate) enum ClientCertificateWord {
    /// A client without a certificate is rejected.
    #[default]
    Required,
    /// A client without a certificate is accepted. A certificate that is sent must be valid.
    Optional,
}

/// Address for operators: metrics, status and health.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Admin", extend("required" = ["address"]))]
pub(crate) struct AdminTable {
    /// Host and port. Clients must not reach it.
    #[schemars(required, example = "127.0.0.1:9090")]
    pub(crate) address: Option<String>,
}

/// Limits of client connections.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(remote = "Connections")]
#[serde(default = "Connections::default", deny_unknown_fields)]
pub(crate) struct ConnectionsTable {
    /// Greatest number of open connections, on all listeners together. Further ones wait to be accepted.
    #[serde(with = "Whole::<{ u32::MAX }>")]
    max: usize,
    /// Longest time for a request head, from its first byte to its last, and for a TLS handshake.
    #[serde(with = "Timeout")]
    head_timeout: Duration,
    /// Longest time that a connection is kept without a request.
    #[serde(with = "Timeout")]
    idle_timeout: Duration,
    /// Longest wait for the next bytes of a request body.
    #[serde(with = "Timeout")]
    body_timeout: Duration,
    /// Longest time that a client may take no bytes of a response that is ready for it.
    #[serde(with = "Timeout")]
    write_timeout: Duration,
    /// Greatest size of a request head.
    #[serde(rename = "head_size", with = "HeadSize")]
    head_bytes: usize,
    /// Greatest number of fields in a request head.
    #[serde(with = "Whole::<10_000>")]
    head_fields: usize,
}

/// Phases of a shutdown.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(remote = "Shutdown")]
#[serde(default = "Shutdown::default", deny_unknown_fields)]
pub(crate) struct ShutdownTable {
    /// Time between "not ready" and the end of accepting, in which load balancers take the instance out of service.
    #[serde(with = "Pause")]
    delay: Duration,
    /// Longest time for the requests that are in flight when accepting ends.
    #[serde(with = "Pause")]
    deadline: Duration,
}

impl Check<'_> {
    pub(super) fn listeners(&mut self, path: &Path, tables: &[ListenerTable]) -> Vec<Listener> {
        let mut listeners = Vec::<Listener>::new();
        for (index, table) in tables.iter().enumerate() {
            let path = path.index(index);
            let tls = table
                .tls
                .as_ref()
                .and_then(|tls| self.tls(&path.key("tls"), tls));
            let path = path.key("address");
            let Some(address) = self.keep(&path, ListenAddr::parse(table.address.trim())) else {
                continue;
            };
            self.refuse_taken(&path, &address, &listeners);
            listeners.push(Listener { address, tls });
        }
        listeners
    }

    pub(super) fn admin(
        &mut self,
        path: &Path,
        table: &AdminTable,
        listeners: &[Listener],
    ) -> Option<ListenAddr> {
        let expected = "a host and a port, such as 127.0.0.1:9090";
        let address = self.required(path, "address", &table.address, expected)?;
        let path = path.key("address");
        let address = self.keep(&path, ListenAddr::parse(address.trim()))?;
        self.refuse_taken(&path, &address, listeners);
        Some(address)
    }

    fn refuse_taken(&mut self, path: &Path, address: &ListenAddr, listeners: &[Listener]) {
        if !address.is_any_port() {
            self.refuse_double(path, ("listeners", listeners), "address", |listener| {
                listener.address == *address
            });
        }
    }

    fn tls(&mut self, path: &Path, table: &TlsTable) -> Option<Tls> {
        const PEM: &str = "the path of a file in PEM format";
        let certificate = self.required(path, "certificate", &table.certificate, PEM);
        let key = self.required(path, "key", &table.key, PEM);
        let certificate = certificate.map(|file| self.readable(&path.key("certificate"), file));
        let key = key.map(|file| self.readable(&path.key("key"), file));
        if table.client_ca.is_none() && table.client_certificate.is_some() {
            let message =
                "not set, but client_certificate is; expected the path of a file in PEM format";
            self.problem(&path.key("client_ca"), message);
        }
        let rule = table.client_certificate.unwrap_or_default();
        let client = table.client_ca.as_ref().map(|file| ClientCertificate {
            ca: self.readable(&path.key("client_ca"), file),
            is_required: rule == ClientCertificateWord::Required,
        });
        Some(Tls {
            certificate: certificate?,
            key: key?,
            client,
        })
    }
}

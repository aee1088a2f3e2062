//! The tables of the configuration file, as they are written. What they mean is checked elsewhere.

mod affinity;
mod backend;
mod clients;
mod connections;
mod headers;
mod listener;
mod pool;
mod route;
mod shutdown;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    affinity::{AffinityKeyTable, AffinityTable},
    backend::BackendTable,
    clients::{ClientKeyTable, ClientsTable},
    connections::ConnectionsTable,
    headers::HeadersTable,
    listener::{AdminTable, ClientCertificateWord, ListenerTable, TlsTable},
    pool::{CooldownTable, LimitsTable, PoolTable, TimeoutsTable},
    route::RouteTable,
    shutdown::ShutdownTable,
};
use crate::config::{LogFormat, Problem, values};

/// The configuration file of Spillover.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Spillover", rename = "Configuration", extend("required" = ["pools"]))]
pub(crate) struct Document {
    /// The form of the log.
    pub(crate) log_format: LogFormat,
    /// Where operators ask how the gateway does. Without it, nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<AdminTable>,
    /// Where clients connect. Default: one listener, in clear text.
    pub(crate) listeners: Vec<ListenerTable>,
    /// What connections of clients may take.
    pub(crate) connections: ConnectionsTable,
    /// How the gateway stops.
    pub(crate) shutdown: ShutdownTable,
    /// Who may come in.
    pub(crate) clients: ClientsTable,
    /// The backends, and which requests they get. A request goes to the first pool with a route that takes it.
    #[schemars(required, length(min = 1))]
    pub(crate) pools: Vec<PoolTable>,
}

impl Document {
    /// Writes out what goes without saying.
    pub(crate) fn fill_in(&mut self) {
        if self.listeners.is_empty() {
            self.listeners.push(ListenerTable::default());
        }
        for tls in self
            .listeners
            .iter_mut()
            .filter_map(|listener| listener.tls.as_mut())
        {
            if tls.client_ca.is_some() && tls.client_certificate.is_none() {
                tls.client_certificate = Some(ClientCertificateWord::default());
            }
        }
        let backends = self.pools.iter_mut().flat_map(|pool| &mut pool.backends);
        for backend in backends.filter(|backend| backend.kind.is_none()) {
            backend.kind = backend.url.as_deref().and_then(values::kind_of_url);
        }
    }

    /// The document as a file, with warnings and the variables that do not count as comments.
    pub(crate) fn print(&self, ignored: &[String], warnings: &[Problem]) -> String {
        let mut text = String::new();
        for warning in warnings {
            text += &format!("# Warning: {warning}\n");
        }
        if !ignored.is_empty() {
            text += &format!("# Ignored: {}\n", ignored.join(", "));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text + &toml::to_string_pretty(self).expect("the tables are TOML")
    }
}

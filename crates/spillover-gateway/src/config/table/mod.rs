//! The tables of the configuration file: their keys, their defaults, and the checks that turn them into the options of the
//! gateway. Each problem is reported with its place.

mod affinity;
mod backend;
mod clients;
mod credential;
mod files;
mod headers;
mod pool;
mod route;
mod secret;
mod server;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_serve::{Connections, Shutdown};

use self::{
    affinity::AffinityTable,
    clients::ClientsTable,
    headers::HeadersTable,
    route::RouteTable,
    server::{ClientCertificateWord, ConnectionsTable, ListenerTable, ShutdownTable},
};
pub(super) use self::{
    backend::BackendTable, clients::ClientKeyTable, credential::CredentialTable, files::read_text,
    pool::PoolTable, secret::Secret, server::AdminTable,
};
use super::{
    Config, LogFormat, Problem,
    error::Problems,
    file::{Origin, Path},
    values,
    variables::Variables,
};
use crate::read_files::ReadFiles;

/// The configuration file of Spillover.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Spillover", rename = "Configuration", extend("required" = ["pools"]))]
pub(crate) struct Document {
    /// Format of the log: `"auto"` is text on a terminal and JSON anywhere else.
    pub(crate) log_format: LogFormat,
    /// Address for operators: metrics, status and health. Default: none.
    pub(crate) admin: Option<AdminTable>,
    /// Addresses for clients. Default: `127.0.0.1:8080`, in clear text.
    pub(crate) listeners: Vec<ListenerTable>,
    /// Limits of client connections.
    #[serde(with = "ConnectionsTable")]
    pub(crate) connections: Connections,
    /// Phases of a shutdown.
    #[serde(with = "ShutdownTable")]
    pub(crate) shutdown: Shutdown,
    /// Clients that may send requests.
    pub(crate) clients: ClientsTable,
    /// Pools of backends. A request goes to the first pool with a route that matches it.
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

    /// Prints the document as a file. The warnings of its configuration, and the variables without effect, are comments.
    pub(crate) fn print(&self, config: &Config) -> String {
        let mut text = String::new();
        for warning in &config.warnings {
            text += &format!("# Warning: {warning}\n");
        }
        if !config.ignored.is_empty() {
            text += &format!("# Ignored: {}\n", config.ignored.join(", "));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text + &toml::to_string_pretty(self).expect("the tables are TOML")
    }
}

/// Checks a document.
pub(super) struct Check<'a> {
    origin: &'a Origin,
    variables: &'a Variables,
    problems: &'a mut Problems,
    warnings: Vec<Problem>,
    /// Every file that was read or will be.
    files: &'a mut ReadFiles,
}

impl<'a> Check<'a> {
    pub(super) fn new(
        origin: &'a Origin,
        variables: &'a Variables,
        files: &'a mut ReadFiles,
        problems: &'a mut Problems,
    ) -> Self {
        Self {
            files,
            origin,
            variables,
            problems,
            warnings: Vec::new(),
        }
    }

    /// The configuration that the document describes. It is of use if there are no problems.
    pub(super) fn document(mut self, document: &Document, ignored: Vec<String>) -> Config {
        let root = Path::default();
        let listeners = self.listeners(&root.key("listeners"), &document.listeners);
        let admin = document
            .admin
            .as_ref()
            .and_then(|admin| self.admin(&root.key("admin"), admin, &listeners));
        Config {
            log_format: document.log_format,
            admin,
            listeners,
            connections: document.connections.clone(),
            shutdown: document.shutdown.clone(),
            clients: self.clients(&root.key("clients"), &document.clients, &document.pools),
            pools: self.pools(&root.key("pools"), &document.pools),
            has_file: self.origin.path().is_some(),
            ignored,
            warnings: self.warnings,
        }
    }

    fn problem(&mut self, path: &Path, message: impl Into<Cow<'static, str>>) {
        let place = self.origin.place(path);
        self.problems.add(Problem::new(place, message));
    }

    fn warning(&mut self, path: &Path, message: impl Into<Cow<'static, str>>) {
        let place = self.origin.place(path);
        self.warnings.push(Problem::new(place, message));
    }

    fn expected(&mut self, path: &Path, expected: &'static str) {
        self.problem(path, format!("expected {expected}"));
    }

    /// Takes the value, or notes what was expected.
    fn keep<T>(&mut self, path: &Path, result: Result<T, &'static str>) -> Option<T> {
        result
            .map_err(|expected| self.expected(path, expected))
            .ok()
    }

    /// What must be set, or a note that it is not.
    fn required<'v, T>(
        &mut self,
        path: &Path,
        value: &'v Option<T>,
        expected: &'static str,
    ) -> Option<&'v T> {
        if value.is_none() && !self.origin.is_wrong(path) {
            self.problem(path, format!("not set; expected {expected}"));
        }
        value.as_ref()
    }
}

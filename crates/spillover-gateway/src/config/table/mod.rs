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
    /// Format of the log: `"text"`, `"json"`, or `"auto"`, which is text on a terminal and JSON anywhere else.
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
    /// Fills in the defaults that depend on other settings.
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

/// Turns a document into a configuration, and reports the problems.
pub(super) struct Check<'a> {
    pub(super) origin: &'a Origin,
    pub(super) variables: &'a Variables,
    pub(super) problems: &'a mut Problems,
    pub(super) warnings: Vec<Problem>,
    /// The files that the configuration depends on.
    pub(super) files: &'a mut ReadFiles,
}

impl Check<'_> {
    /// Returns the configuration that the document describes. It is only complete if there are no problems.
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

    /// Returns the value, or reports the expected text.
    fn keep<T>(&mut self, path: &Path, result: Result<T, &'static str>) -> Option<T> {
        result
            .map_err(|expected| self.expected(path, expected))
            .ok()
    }

    /// Reads the text of a key, if it is set.
    fn optional<T>(
        &mut self,
        table: &Path,
        key: &str,
        text: &Option<String>,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        text.as_deref()
            .and_then(|text| self.keep(&table.key(key), parse(text)))
    }

    /// Returns the value of a key, or reports that it is not set.
    fn required<'v, T>(
        &mut self,
        table: &Path,
        key: &str,
        value: &'v Option<T>,
        expected: &'static str,
    ) -> Option<&'v T> {
        let path = table.key(key);
        if value.is_none() && !self.origin.is_wrong(&path) {
            self.problem(&path, format!("not set; expected {expected}"));
        }
        value.as_ref()
    }

    /// Reads the `name` of a table.
    fn name(&mut self, table: &Path, name: &Option<String>) -> Option<String> {
        self.required(table, "name", name, "a name for the logs");
        self.optional(table, "name", name, values::label)
    }

    /// Reports an element of a list that has the name or address of one before it.
    fn refuse_double<T>(
        &mut self,
        path: &Path,
        (list, before): (&str, &[T]),
        what: &str,
        is_same: impl Fn(&T) -> bool,
    ) {
        if let Some(other) = before.iter().position(is_same) {
            let message = format!("{list}[{other}] has this {what}; expected one of its own");
            self.problem(path, message);
        }
    }
}

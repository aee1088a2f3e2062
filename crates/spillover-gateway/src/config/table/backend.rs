use std::{num::NonZeroU32, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_core::{Backend, Pool};

use super::{Check, CredentialTable, HeadersTable};
use crate::{
    client::Protocol,
    config::{
        file::Path,
        url::{Family, Operation},
        value::{Format, KindWord, Limit, ProtocolWord},
        values,
    },
    site::BackendConfig,
};

/// A service that can take the requests of its pool.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Backend", extend("required" = ["name", "url", "credential"]))]
pub(crate) struct BackendTable {
    /// What logs and metrics call it. Unique in its pool.
    #[schemars(required)]
    pub(crate) name: Option<String>,
    /// The base URL, `http` or `https`. Its path is put in front of the path of every request.
    #[schemars(required, example = "https://name.openai.azure.com")]
    pub(crate) url: Option<String>,
    /// The form of OpenAI's API that it has, by which paths are mapped. Default: by the host of its URL.
    pub(crate) kind: Option<KindWord>,
    /// A lower one is used first. Backends of one priority share the load.
    pub(crate) priority: u32,
    /// The share of the load, relative to the others of that priority.
    pub(crate) weight: NonZeroU32,
    /// What authenticates the gateway to it.
    #[schemars(required)]
    pub(crate) credential: Option<CredentialTable>,
    /// Replaces the deployment in the path.
    pub(crate) deployment: Option<String>,
    /// Replaces the `model` in a JSON body, a form or the query. Default: the `deployment`.
    pub(crate) model: Option<String>,
    /// How many requests it has at one time. Beyond it, requests go to others.
    #[serde(with = "Limit::<NonZeroU32>")]
    pub(crate) max_concurrency: Option<NonZeroU32>,
    /// The version of HTTP on connections to it. gRPC servers without TLS want `http2`.
    #[serde(alias = "http2", with = "ProtocolWord")]
    pub(crate) protocol: Protocol,
    /// The file of who may have issued its certificate, in PEM format. Default: those that the platform trusts.
    pub(crate) ca: Option<PathBuf>,
    /// Fields of the requests that it gets.
    #[serde(skip_serializing_if = "HeadersTable::is_empty")]
    pub(crate) request_headers: HeadersTable,
    /// Fields of the responses that it gives.
    #[serde(skip_serializing_if = "HeadersTable::is_empty")]
    pub(crate) response_headers: HeadersTable,
}

impl Default for BackendTable {
    fn default() -> Self {
        Self {
            name: None,
            url: None,
            kind: None,
            priority: 1,
            weight: NonZeroU32::MIN,
            credential: None,
            deployment: None,
            model: None,
            max_concurrency: None,
            protocol: Protocol::default(),
            ca: None,
            request_headers: HeadersTable::default(),
            response_headers: HeadersTable::default(),
        }
    }
}

impl Check<'_> {
    /// The backends of a pool by priority, those of one priority in the order of the list.
    pub(super) fn backends(&mut self, path: &Path, tables: &[BackendTable]) -> Vec<BackendConfig> {
        if tables.is_empty() && !self.origin.is_wrong(path) {
            self.problem(path, "not set; expected at least one backend");
        }
        if tables.len() > Pool::MAX_BACKENDS {
            let most = Pool::MAX_BACKENDS;
            self.problem(path, format!("expected at most {most} backends"));
        }
        let mut backends = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let path = path.index(index);
            let same_name = |other: &BackendTable| match (&other.name, &table.name) {
                (Some(other), Some(name)) => other.eq_ignore_ascii_case(name),
                _ => false,
            };
            if let Some(other) = tables[..index].iter().position(same_name) {
                let message = format!("backends[{other}] has this name; expected one of its own");
                self.problem(&path.key("name"), message);
            }
            backends.extend(self.backend(&path, table));
        }
        self.warn_of_families(path, tables, &backends);
        backends.sort_by_key(|config| config.backend.priority());
        backends
    }

    fn url(&mut self, path: &Path, url: &str) -> Option<String> {
        let operation = Operation::of_url(url);
        match values::url(url) {
            Ok(url) => {
                if let Some(operation) = operation {
                    self.warning(path, operation.advice());
                }
                Some(url)
            }
            Err(expected) => {
                match operation {
                    Some(operation) => self.problem(path, operation.advice()),
                    None => self.expected(path, expected),
                }
                None
            }
        }
    }

    /// Warns of backends that cannot take the requests of those before them: a refused request would only fail there.
    fn warn_of_families(
        &mut self,
        list: &Path,
        tables: &[BackendTable],
        backends: &[BackendConfig],
    ) {
        // With a wrong backend in between, positions in the two lists differ.
        if tables.len() != backends.len() {
            return;
        }
        let known = backends.iter().enumerate().filter_map(|(index, config)| {
            let backend = &config.backend;
            Some((index, backend.label(), Family::of_backend(backend)?))
        });
        let known: Vec<_> = known.collect();
        let Some((_, first, family)) = known.first() else {
            return;
        };
        for (index, label, other) in known.iter().filter(|(_, _, other)| other != family) {
            let (family, other) = (family.as_str(), other.as_str());
            let message = format!(
                "backend {label} has the API of {other}, and backend {first} of its pool that of {family}: \
                 neither takes the requests of the other; expected a pool for each"
            );
            self.warning(&list.index(*index).key("url"), message);
        }
    }

    fn backend(&mut self, path: &Path, table: &BackendTable) -> Option<BackendConfig> {
        let label = self.required(&path.key("name"), &table.name, "a name for the logs");
        let label = label.and_then(|name| self.keep(&path.key("name"), values::label(name)));
        let url = self.required(
            &path.key("url"),
            &table.url,
            "an absolute URL, such as https://name.openai.azure.com",
        );
        let url = url.and_then(|url| self.url(&path.key("url"), url));
        let deployment = table.deployment.as_deref().and_then(|deployment| {
            let path = path.key("deployment");
            self.keep(&path, values::deployment(deployment))
        });
        let model = table.model.as_deref().and_then(|model| {
            let is_model = !model.is_empty() && !model.contains(char::is_control);
            let model = is_model.then(|| model.to_owned()).ok_or("a model");
            self.keep(&path.key("model"), model)
        });
        let path_of_credential = path.key("credential");
        let credential = self
            .required(&path_of_credential, &table.credential, CREDENTIAL)
            .and_then(|credential| self.credential(&path_of_credential, credential));
        let ca = table.ca.as_ref();
        let ca = ca.and_then(|file| self.authorities(&path.key("ca"), file));
        let request_headers = self.headers(&path.key("request_headers"), &table.request_headers);
        let response_headers = self.headers(&path.key("response_headers"), &table.response_headers);

        let (credential, source) = credential?;
        let mut builder = Backend::builder(label?)
            .url(url?)
            .priority(table.priority)
            .weight(table.weight.get());
        if let Some(kind) = table.kind {
            builder = builder.kind(kind.into());
        }
        if let Some(credential) = credential {
            builder = builder.credential(credential);
        }
        if let Some(model) = model {
            builder = builder.model(model);
        }
        if let Some(deployment) = deployment {
            builder = builder.deployment(deployment);
        }
        if let Some(most) = table.max_concurrency {
            builder = builder.max_concurrency(most.get());
        }
        let backend = match builder.build() {
            Ok(backend) => backend,
            Err(invalid) => {
                self.expected(&path.key(invalid.field()), invalid.expected());
                return None;
            }
        };
        Some(BackendConfig {
            backend,
            credential: source,
            request_headers,
            response_headers,
            protocol: table.protocol,
            ca,
        })
    }
}

const CREDENTIAL: &str =
    "{ api_key = ... }, { bearer = ... }, { header = ... }, \"entra\" or \"passthrough\"";

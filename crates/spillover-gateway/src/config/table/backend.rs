use std::{num::NonZeroU32, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_core::{Backend, Credential, InvalidBackend, Pool};
use spillover_proxy::upstream::Protocol;

use super::{Check, HeadersTable, Secret, headers::field_name};
use crate::{
    config::{
        file::Path,
        url::{Family, Operation},
        value::{Format, KindWord, Limit, ProtocolWord},
        values,
    },
    runtime::{BackendConfig, CredentialSource},
};

/// A service that can serve the requests of its pool.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Backend", extend("required" = ["name", "url", "credential"]))]
pub(crate) struct BackendTable {
    /// Name in logs, metrics and the field `x-spillover-backend` of responses. Unique in its pool.
    #[schemars(required)]
    pub(crate) name: Option<String>,
    /// Base URL, `http` or `https`. Its path is put in front of the path of every request.
    #[schemars(required, example = "https://name.openai.azure.com")]
    pub(crate) url: Option<String>,
    /// Form of OpenAI's API: `"azure"`, `"openai"` or `"other"`. The gateway maps paths to it. Default: by the host of the
    /// URL.
    pub(crate) kind: Option<KindWord>,
    /// Backends with a lower number are used first. Backends of one priority share the load.
    pub(crate) priority: u32,
    /// Share of the load, relative to the other backends of its priority.
    pub(crate) weight: NonZeroU32,
    /// Credential of the gateway at the backend.
    #[schemars(required)]
    pub(crate) credential: Option<CredentialTable>,
    /// Audience of the tokens of Entra ID, such as `https://ai.azure.com`. Default: by the host of the URL.
    pub(crate) audience: Option<String>,
    /// Replaces the deployment or model that a request names. Default: none.
    pub(crate) deployment: Option<String>,
    /// Replaces the `model` in a JSON body, a form or the query. Default: the `deployment`.
    pub(crate) model: Option<String>,
    /// Greatest number of requests at one time. Further ones go to other backends.
    #[serde(with = "Limit::<NonZeroU32>")]
    pub(crate) max_concurrency: Option<NonZeroU32>,
    /// HTTP version of the connections: `"auto"`, `"http1"` or `"http2"`. gRPC servers without TLS need `"http2"`.
    #[serde(alias = "http2", with = "ProtocolWord")]
    pub(crate) protocol: Protocol,
    /// CA bundle for the certificate of the backend, in PEM format. Default: the CAs that the platform trusts.
    pub(crate) ca: Option<PathBuf>,
    /// Header fields to set or remove in requests to the backend.
    #[serde(skip_serializing_if = "HeadersTable::is_empty")]
    pub(crate) request_headers: HeadersTable,
    /// Header fields to set or remove in responses of the backend.
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
            audience: None,
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

/// Credential of the gateway at a backend.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Credential")]
pub(crate) enum CredentialTable {
    /// A key in the `api-key` field, as Azure OpenAI expects it.
    ApiKey(Secret),
    /// A token in the `authorization` field, as OpenAI and many others expect it.
    Bearer(Secret),
    /// A secret in a field of any name, such as `x-api-key` for Anthropic or `x-goog-api-key` for Gemini.
    Header(CredentialHeader),
    /// A token of Entra ID, for the identity that the gateway runs as.
    Entra,
    /// The client's own credentials.
    Passthrough,
}

/// A secret in a field of any name.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialHeader {
    /// The name of the field.
    pub(crate) name: String,
    /// The secret.
    pub(crate) value: Secret,
}

impl Check<'_> {
    /// Returns the backends of a pool by priority, those of one priority in the order of the list.
    pub(super) fn backends(&mut self, path: &Path, tables: &[BackendTable]) -> Vec<BackendConfig> {
        if tables.is_empty() {
            self.missing(path, "at least one backend");
        }
        if tables.len() > Pool::MAX_BACKENDS {
            let most = Pool::MAX_BACKENDS;
            self.problem(path, format!("expected at most {most} backends"));
        }
        let mut backends = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let path = path.index(index);
            let before = ("backends", &tables[..index]);
            self.refuse_double(&path.key("name"), before, "name", |other| {
                match (&other.name, &table.name) {
                    (Some(other), Some(name)) => other.eq_ignore_ascii_case(name),
                    _ => false,
                }
            });
            backends.extend(self.backend(&path, table));
        }
        // If one is missing, the places in the two lists differ.
        if tables.len() == backends.len() {
            self.warn_of_families(path, &backends);
        }
        backends.sort_by_key(|config| config.backend.priority());
        backends
    }

    /// Warns of backends that cannot serve the requests of those before them: a refused request would only fail there.
    fn warn_of_families(&mut self, list: &Path, backends: &[BackendConfig]) {
        let known = backends.iter().enumerate().filter_map(|(index, config)| {
            let backend = &config.backend;
            Some((index, backend.label(), Family::of_backend(backend)?))
        });
        let known: Vec<_> = known.collect();
        let [(_, first, family), others @ ..] = &*known else {
            return;
        };
        for (index, label, other) in others.iter().filter(|(_, _, other)| other != family) {
            let (family, other) = (family.as_str(), other.as_str());
            let message = format!(
                "backend {label} has the API of {other}, and backend {first} of its pool that of {family}: \
                 neither takes the requests of the other; expected a pool for each"
            );
            self.warning(&list.index(*index).key("url"), message);
        }
    }

    fn backend(&mut self, path: &Path, table: &BackendTable) -> Option<BackendConfig> {
        let label = self.name(path, &table.name);
        let url = self.url(path, &table.url);
        let deployment = &table.deployment;
        let deployment = self.optional(path, "deployment", deployment, values::deployment);
        let model = self.optional(path, "model", &table.model, model);
        let credential = self
            .required(path, "credential", &table.credential, CREDENTIAL)
            .and_then(|credential| self.credential(&path.key("credential"), credential));
        let audience = self.optional(path, "audience", &table.audience, audience);
        if audience.is_some() && !matches!(table.credential, Some(CredentialTable::Entra)) {
            let expected = "no audience, since only a token of Entra ID has one";
            self.expected(&path.key("audience"), expected);
        }
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
        let built = builder.build();
        let backend = built
            .map_err(|invalid| self.expected(&path.key(invalid.field()), invalid.expected()))
            .ok()?;
        Some(BackendConfig {
            backend,
            credential: source,
            audience,
            request_headers,
            response_headers,
            protocol: table.protocol,
            ca,
        })
    }

    /// Returns the credential that the backend is built with, and its source.
    fn credential(
        &mut self,
        path: &Path,
        table: &CredentialTable,
    ) -> Option<(Option<Credential>, CredentialSource)> {
        let own = match table {
            CredentialTable::Passthrough => return Some((None, CredentialSource::Client)),
            CredentialTable::Entra => {
                return Some((Some(Credential::by_layer()), CredentialSource::Entra));
            }
            CredentialTable::ApiKey(secret) => {
                self.field(&path.key("api_key"), secret, Credential::api_key)
            }
            CredentialTable::Bearer(secret) => {
                self.field(&path.key("bearer"), secret, Credential::bearer)
            }
            CredentialTable::Header(CredentialHeader { name, value }) => {
                let path = path.key("header");
                let name = self.keep(&path.key("name"), field_name(name));
                self.field(&path.key("value"), value, |value| {
                    // The value is checked even if the name is wrong.
                    let name = name.unwrap_or(http::header::AUTHORIZATION);
                    Credential::header(name, value)
                })
            }
        };
        own.map(|credential| (Some(credential), CredentialSource::Backend))
    }

    fn field(
        &mut self,
        path: &Path,
        secret: &Secret,
        build: impl FnOnce(String) -> Result<Credential, InvalidBackend>,
    ) -> Option<Credential> {
        let secret = self.secret(path, secret)?;
        let credential = build(secret).map_err(|invalid| invalid.expected());
        self.keep(path, credential)
    }

    fn url(&mut self, table: &Path, url: &Option<String>) -> Option<String> {
        let expected = "an absolute URL, such as https://name.openai.azure.com";
        let url = self.required(table, "url", url, expected)?;
        let path = table.key("url");
        match (values::url(url), Operation::of_url(url)) {
            (Ok(url), operation) => {
                if let Some(operation) = operation {
                    self.warning(&path, operation.advice());
                }
                return Some(url);
            }
            (Err(_), Some(operation)) => self.problem(&path, operation.advice()),
            (Err(expected), None) => self.expected(&path, expected),
        }
        None
    }
}

/// Accepts an identifier of an application: `https://...` or `api://...`.
fn audience(text: &str) -> Result<String, &'static str> {
    let is_uri = text.starts_with("https://") || text.starts_with("api://");
    if !is_uri || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("an audience, such as https://ai.azure.com");
    }
    Ok(text.to_owned())
}

fn model(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err("a model");
    }
    Ok(text.to_owned())
}

const CREDENTIAL: &str =
    "{ api_key = ... }, { bearer = ... }, { header = ... }, \"entra\" or \"passthrough\"";

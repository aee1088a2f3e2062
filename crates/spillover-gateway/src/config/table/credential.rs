use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_core::{Credential, InvalidBackend};

use super::{Check, Secret, headers::field_name};
use crate::{config::file::Path, site::CredentialSource};

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
    /// Returns the credential that the backend is built with, and its source.
    pub(super) fn credential(
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
}

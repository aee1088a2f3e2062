use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Secret;

/// What authenticates the gateway to a backend.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Credential")]
pub(crate) enum CredentialTable {
    /// A key in the `api-key` field, as Azure OpenAI wants it.
    ApiKey(Secret),
    /// A token in the `authorization` field, as OpenAI and many others want it.
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

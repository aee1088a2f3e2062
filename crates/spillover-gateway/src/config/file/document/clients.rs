use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::file::value::{Limit, Secret};

/// Who may come in.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Clients")]
pub(crate) struct ClientsTable {
    /// The origins whose pages may call the gateway from a browser; `["*"]` is all of them. Default: none.
    #[schemars(example = ["https://chat.example.com"])]
    pub(crate) cors: Vec<String>,
    /// The keys of which a client must show one. Without any, everybody may come in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<ClientKeyTable>,
}

/// A key that a client shows. Either `sha256` or `secret` is required.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ClientKey", extend("required" = ["name"]))]
pub(crate) struct ClientKeyTable {
    /// What logs and metrics call who has it.
    #[schemars(required)]
    pub(crate) name: Option<String>,
    /// The SHA-256 of the key in hexadecimal digits; `spillover hash-key` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub(crate) sha256: Option<String>,
    /// The key itself. The gateway keeps its SHA-256 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Secret>,
    /// The names of the pools that it opens. Default: all of them.
    pub(crate) pools: Vec<String>,
    /// How many requests a minute it may send.
    pub(crate) requests_per_minute: Limit<NonZeroU32>,
}

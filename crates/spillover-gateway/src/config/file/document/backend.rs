use std::{num::NonZeroU32, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HeadersTable;
use crate::{
    client::Protocol,
    config::file::value::{CredentialTable, KindWord, Limit},
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<KindWord>,
    /// A lower one is used first. Backends of one priority share the load.
    pub(crate) priority: u32,
    /// The share of the load, relative to the others of that priority.
    pub(crate) weight: NonZeroU32,
    /// What authenticates the gateway to it.
    #[schemars(required)]
    pub(crate) credential: Option<CredentialTable>,
    /// Replaces the deployment in the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deployment: Option<String>,
    /// Replaces the `model` in a JSON body, a form or the query. Default: the `deployment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// How many requests it has at one time. Beyond it, requests go to others.
    pub(crate) max_concurrency: Limit<NonZeroU32>,
    /// The version of HTTP on connections to it. gRPC servers without TLS want `http2`.
    #[serde(alias = "http2")]
    pub(crate) protocol: Protocol,
    /// The file of who may have issued its certificate, in PEM format. Default: those that the platform trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
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
            max_concurrency: Limit::Off,
            protocol: Protocol::default(),
            ca: None,
            request_headers: HeadersTable::default(),
            response_headers: HeadersTable::default(),
        }
    }
}

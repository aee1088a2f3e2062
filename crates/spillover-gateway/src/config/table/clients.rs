use std::num::NonZeroU32;

use http::{HeaderValue, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spillover_proxy::{client_keys::ClientKey, cors::AllowedOrigins};

use super::{Check, PoolTable, Secret};
use crate::{
    config::{
        file::Path,
        value::{Format, Limit},
        values,
    },
    site::Clients,
};

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
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub(crate) sha256: Option<String>,
    /// The key itself. The gateway keeps its SHA-256 only.
    pub(crate) secret: Option<Secret>,
    /// The names of the pools that it opens. Default: all of them.
    pub(crate) pools: Vec<String>,
    /// How many requests a minute it may send.
    #[serde(with = "Limit::<NonZeroU32>")]
    pub(crate) requests_per_minute: Option<NonZeroU32>,
}

impl Check<'_> {
    pub(super) fn clients(
        &mut self,
        path: &Path,
        table: &ClientsTable,
        pools: &[PoolTable],
    ) -> Clients {
        let path_of_keys = path.key("keys");
        let mut keys = Vec::<ClientKey>::new();
        for (index, table) in table.keys.iter().enumerate() {
            let path = path_of_keys.index(index);
            let Some(key) = self.client_key(&path, table, pools) else {
                continue;
            };
            if let Some(other) = keys.iter().position(|other| other.name == key.name) {
                let message = format!("keys[{other}] has this name; expected one of its own");
                self.problem(&path.key("name"), message);
            }
            if let Some(other) = keys.iter().position(|other| other.sha256 == key.sha256) {
                let message = format!("the same key as keys[{other}]; expected one of its own");
                self.problem(&path, message);
            }
            keys.push(key);
        }
        Clients {
            keys,
            cors: self.cors(&path.key("cors"), &table.cors),
        }
    }

    fn client_key(
        &mut self,
        path: &Path,
        table: &ClientKeyTable,
        pools: &[PoolTable],
    ) -> Option<ClientKey> {
        let name = self.required(&path.key("name"), &table.name, "a name for the logs");
        let name = name.and_then(|name| self.keep(&path.key("name"), values::label(name)));
        let sha256 = self.sha256(path, table);
        let path_of_pools = path.key("pools");
        for (index, name) in table.pools.iter().enumerate() {
            if !pools.iter().any(|pool| pool.name == *name) {
                self.expected(&path_of_pools.index(index), "the name of a pool");
            }
        }
        Some(ClientKey {
            name: name?,
            sha256: sha256?,
            pools: table.pools.clone(),
            requests_per_minute: table.requests_per_minute,
        })
    }

    fn sha256(&mut self, path: &Path, table: &ClientKeyTable) -> Option<[u8; 32]> {
        match (&table.sha256, &table.secret) {
            (Some(digits), None) => self.keep(&path.key("sha256"), values::sha256(digits)),
            (None, Some(secret)) => {
                let path = path.key("secret");
                let secret = self.secret(&path, secret)?;
                let is_key = !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic());
                if !is_key {
                    self.expected(&path, "a key of visible ASCII characters, no spaces");
                    return None;
                }
                Some(Sha256::digest(secret).into())
            }
            (Some(_), Some(_)) => {
                self.expected(path, "either sha256 or secret");
                None
            }
            (None, None) => {
                let is_known = self.origin.is_wrong(&path.key("sha256"))
                    || self.origin.is_wrong(&path.key("secret"));
                if !is_known {
                    self.problem(
                        path,
                        "neither sha256 nor secret is set; expected one of them",
                    );
                }
                None
            }
        }
    }

    fn cors(&mut self, path: &Path, origins: &[String]) -> Option<AllowedOrigins> {
        if origins.is_empty() {
            return None;
        }
        if origins == ["*"] {
            return Some(AllowedOrigins::Any);
        }
        let mut values = Vec::new();
        for (index, text) in origins.iter().enumerate() {
            let path = path.index(index);
            values.extend(self.keep(&path, origin(text)));
        }
        Some(AllowedOrigins::List(values))
    }
}

/// An origin as browsers send it (RFC 6454 section 6.2).
fn origin(text: &str) -> Result<HeaderValue, &'static str> {
    const EXPECTED: &str = "an origin, such as https://chat.example.com, in lower case and without a path; or \"*\" alone";
    let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
    let is_origin = uri.scheme().is_some()
        && uri
            .authority()
            .is_some_and(|host| !host.as_str().contains('@'))
        && uri.path() == "/"
        && uri.query().is_none()
        && !text.ends_with('/')
        && !text.contains(['#', '*'])
        && !text.bytes().any(|b| b.is_ascii_uppercase());
    if !is_origin {
        return Err(EXPECTED);
    }
    HeaderValue::from_str(text).map_err(|_| EXPECTED)
}

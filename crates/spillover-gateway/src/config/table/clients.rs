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
    runtime::Clients,
};

/// Clients that may send requests.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Clients")]
pub(crate) struct ClientsTable {
    /// Origins whose pages may call the gateway from a browser. `["*"]` is all origins.
    #[schemars(example = ["https://chat.example.com"])]
    pub(crate) cors: Vec<String>,
    /// Keys of which a client must send one. Default: none, and requests need no key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<ClientKeyTable>,
}

/// A key that clients send. Either `sha256` or `secret` is required.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ClientKey", extend("required" = ["name"]))]
pub(crate) struct ClientKeyTable {
    /// Name of the client in logs and metrics. Unique.
    #[schemars(required)]
    pub(crate) name: Option<String>,
    /// SHA-256 of the key in hexadecimal digits. `spillover hash-key` prints it. Default: that of the `secret`.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub(crate) sha256: Option<String>,
    /// The key itself, in place of its `sha256`. The gateway keeps only its SHA-256. Default: none.
    pub(crate) secret: Option<Secret>,
    /// Names of the pools that the client may use. `[]` is all pools.
    pub(crate) pools: Vec<String>,
    /// Greatest number of requests per minute.
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
            let before = ("keys", &*keys);
            self.refuse_double(&path.key("name"), before, "name", |other| {
                other.name == key.name
            });
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
        let name = self.name(path, &table.name);
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
                self.keep(&path, digest(&secret))
            }
            (Some(_), Some(_)) => self.keep(path, Err("either sha256 or secret")),
            (None, None) => {
                let mut keys = ["sha256", "secret"].iter();
                if !keys.any(|key| self.origin.is_wrong(&path.key(key))) {
                    let message = "neither sha256 nor secret is set; expected one of them";
                    self.problem(path, message);
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
        let origins = origins.iter().enumerate();
        let origins =
            origins.filter_map(|(index, text)| self.keep(&path.index(index), origin(text)));
        Some(AllowedOrigins::List(origins.collect()))
    }
}

fn digest(key: &str) -> Result<[u8; 32], &'static str> {
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("a key of visible ASCII characters, no spaces");
    }
    Ok(Sha256::digest(key).into())
}

/// Reads an origin as browsers send it (RFC 6454 section 6.2).
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

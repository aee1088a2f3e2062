use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Check;
use crate::{
    affinity::{AffinityConfig, AffinityKey},
    config::file::Path,
};

/// What keeps requests that belong together at one backend.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Affinity", extend("required" = ["keys"]))]
pub(crate) struct AffinityTable {
    /// Where to look for what requests have in common. The first that a request has counts.
    #[schemars(required, length(min = 1))]
    pub(crate) keys: Vec<AffinityKeyTable>,
    /// Whether a request goes nowhere else while that backend is closed.
    pub(crate) pinned: bool,
}

/// Where to look for what requests have in common.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AffinityKey")]
pub(crate) enum AffinityKeyTable {
    /// The id of what a backend made before, such as a response, a file, a thread or a batch: in the path, or in a field of a
    /// JSON body that names one.
    Id,
    /// The name of a header field.
    Header(String),
    /// The name of a field of a JSON body, whose value is a string.
    Body(String),
    /// The name of a cookie, which the gateway sets where a request has none.
    Cookie(String),
}

impl Check<'_> {
    pub(super) fn affinity(&mut self, path: &Path, table: &AffinityTable) -> AffinityConfig {
        let path = path.key("keys");
        if table.keys.is_empty() && !self.origin.is_wrong(&path) {
            self.problem(
                &path,
                "not set; expected a list of \"id\", { header = \"...\" }, { body = \"...\" } or { cookie = \"...\" }",
            );
        }
        let mut keys = Vec::new();
        for (index, key) in table.keys.iter().enumerate() {
            let path = path.index(index);
            keys.extend(match key {
                AffinityKeyTable::Id => Some(AffinityKey::Id),
                AffinityKeyTable::Header(name) => {
                    let name = name.parse::<HeaderName>();
                    let name = name.map_err(|_| "the name of a header field");
                    self.keep(&path.key("header"), name)
                        .map(AffinityKey::Header)
                }
                AffinityKeyTable::Body(field) => self
                    .keep(&path.key("body"), body_field(field))
                    .map(AffinityKey::BodyField),
                AffinityKeyTable::Cookie(name) => self
                    .keep(&path.key("cookie"), cookie(name))
                    .map(AffinityKey::Cookie),
            });
        }
        AffinityConfig {
            keys,
            is_pinned: table.pinned,
        }
    }
}

fn body_field(name: &str) -> Result<String, &'static str> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err("the name of a field");
    }
    Ok(name.to_owned())
}

/// A token (RFC 6265 section 4.1.1, RFC 9110 section 5.6.2).
fn cookie(name: &str) -> Result<String, &'static str> {
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !is_token {
        return Err("the name of a cookie, of letters, digits and `-`, `_` or `.`");
    }
    Ok(name.to_owned())
}

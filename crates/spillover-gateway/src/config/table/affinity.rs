use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_spillover::affinity::{AffinityKey, AffinityOptions};

use super::Check;
use crate::config::file::Path;

/// Rules that keep related requests at one backend.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Affinity", extend("required" = ["keys"]))]
pub(crate) struct AffinityTable {
    /// Sources of the affinity key. The first one that a request has decides.
    #[schemars(required, length(min = 1))]
    pub(crate) keys: Vec<AffinityKeyTable>,
    /// True when a request is not sent to another backend while its own is closed.
    pub(crate) pinned: bool,
}

/// A source of the affinity key: the value that related requests have in common.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AffinityKey")]
pub(crate) enum AffinityKeyTable {
    /// The id of an object that a backend has created, such as a response, a file, a thread or a batch. The id is in the path,
    /// or in a field of a JSON body.
    Id,
    /// The name of a header field.
    Header(String),
    /// The name of a field of a JSON body, whose value is a string.
    Body(String),
    /// The name of a cookie. The gateway sets it in the response to a request without it.
    Cookie(String),
}

impl Check<'_> {
    pub(super) fn affinity(&mut self, path: &Path, table: &AffinityTable) -> AffinityOptions {
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
        AffinityOptions {
            keys,
            is_pinned: table.pinned,
        }
    }
}

/// Accepts the name of a field of a JSON body.
fn body_field(name: &str) -> Result<String, &'static str> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err("the name of a field");
    }
    Ok(name.to_owned())
}

/// Accepts a token (RFC 6265 section 4.1.1, RFC 9110 section 5.6.2).
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

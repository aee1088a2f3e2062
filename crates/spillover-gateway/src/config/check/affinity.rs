use http::HeaderName;

use super::Check;
use crate::{
    affinity::{AffinityConfig, AffinityKey},
    config::file::{AffinityKeyTable, AffinityTable, Path},
};

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

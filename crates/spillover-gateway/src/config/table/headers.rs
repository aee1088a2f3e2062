use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Secret};
use spillover_proxy::HeaderRules;

use crate::config::file::Path;

/// Header fields to set and to remove.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Headers")]
pub(crate) struct HeadersTable {
    /// Fields to set, by name. Each replaces all fields of that name. A value may be a secret.
    pub(crate) set: BTreeMap<String, Secret>,
    /// Names of the fields to remove.
    pub(crate) remove: Vec<String>,
}

impl HeadersTable {
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

impl Check<'_> {
    pub(super) fn headers(&mut self, path: &Path, table: &HeadersTable) -> HeaderRules {
        let mut rules = HeaderRules::default();
        let path_of_set = path.key("set");
        for (name, value) in &table.set {
            let path = path_of_set.key(name);
            let name = self.keep(&path, field_name(name));
            let Some(value) = self.secret(&path, value) else {
                continue;
            };
            let value = HeaderValue::from_str(&value)
                .map_err(|_| "a value of visible ASCII characters and spaces");
            let (Some(mut value), Some(name)) = (self.keep(&path, value), name) else {
                continue;
            };
            // The value may be a secret: `Debug` does not print it.
            value.set_sensitive(true);
            if rules.set.iter().any(|(set, _)| *set == name) {
                self.problem(
                    &path,
                    "set twice, as case does not matter; expected one of them",
                );
            }
            rules.set.push((name, value));
        }
        let path_of_remove = path.key("remove");
        for (index, name) in table.remove.iter().enumerate() {
            let path = path_of_remove.index(index);
            let Some(name) = self.keep(&path, field_name(name)) else {
                continue;
            };
            if rules.set.iter().any(|(set, _)| *set == name) {
                let message = "this field is set as well; expected one of them, as to set a field replaces it";
                self.problem(&path, message);
            }
            rules.remove.push(name);
        }
        rules
    }
}

/// Reads the name of a field. Fields of the connection and of the framing cannot be set or removed.
pub(super) fn field_name(name: &str) -> Result<HeaderName, &'static str> {
    let field: HeaderName = name.parse().map_err(|_| "the name of a header field")?;
    if FRAMING.contains(&field) {
        return Err(
            "a field that is about the message; this one is about the connection or the framing, which the gateway sees to",
        );
    }
    Ok(field)
}

/// RFC 9110 sections 7.2, 7.6.1 and 8.6, RFC 9112 section 6.1.
const FRAMING: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

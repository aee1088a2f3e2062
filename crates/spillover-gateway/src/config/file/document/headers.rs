use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::file::value::Secret;

/// Header fields to set and to remove.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Headers")]
pub(crate) struct HeadersTable {
    /// The fields to set, by name, each in place of all of that name.
    pub(crate) set: BTreeMap<String, Secret>,
    /// The names of the fields to remove.
    pub(crate) remove: Vec<String>,
}

impl HeadersTable {
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

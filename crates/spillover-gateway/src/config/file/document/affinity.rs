use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which requests a pool takes: those that match in everything that is set. In patterns `*` stands for any characters and
/// `?` for one.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Route")]
pub(crate) struct RouteTable {
    /// A pattern for the host that the client asks for, without its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = "*.example.com")]
    pub(crate) host: Option<String>,
    /// The beginning of the path, in whole segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = "/openai")]
    pub(crate) path_prefix: Option<String>,
    /// A pattern for the deployment in the path, or else the `model` in a JSON body or a form.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = "gpt-4o*")]
    pub(crate) model: Option<String>,
}

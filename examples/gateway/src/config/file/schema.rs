use schemars::schema_for;

use super::Document;

/// The JSON schema of the file.
pub(crate) fn schema() -> String {
    let schema = schema_for!(Document);
    let text = serde_json::to_string_pretty(&schema);
    text.expect("a schema is JSON") + "\n"
}

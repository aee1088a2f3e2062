use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::Value;

use crate::config::table::Document;

/// Returns the JSON schema of the file.
pub(crate) fn schema() -> String {
    let settings = SchemaSettings::default().with_transform(RecursiveTransform(WithoutNull));
    let schema = settings.into_generator().into_root_schema_for::<Document>();
    let text = serde_json::to_string_pretty(&schema);
    text.expect("a schema is JSON") + "\n"
}

/// TOML has no null: what may be left out is left out.
#[derive(Clone, Debug)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        let needs_element = schema.get("minItems").is_some();
        let default = schema.get("default");
        if default.is_some_and(|default| default.is_null() || needs_element) {
            schema.remove("default");
        }
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|this| this != "null");
            if let [only] = &mut **types {
                let only = only.take();
                schema.insert("type".into(), only);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|this| this != "null"));
            if let [Value::Object(only)] = &mut **choices {
                let only = std::mem::take(only);
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
        }
    }
}

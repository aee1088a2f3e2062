use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;

use crate::read;

/// Reads a file of the repository that holds one document. Duplicate keys are rejected.
pub(crate) fn yaml(path: &str) -> Value {
    let text = read(path);
    let documents = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let [document] = &*documents else {
        panic!("{path} has {} documents", documents.len());
    };
    value(document)
}

fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(is_true)) => (*is_true).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.to_string().into(),
        Yaml::Sequence(list) => list.iter().map(value).collect(),
        Yaml::Mapping(map) => {
            let key = |key: &Yaml<'_>| key.as_str().expect("a key of text").to_owned();
            map.iter()
                .map(|(name, of)| (key(name), value(of)))
                .collect()
        }
        other => panic!("no plain YAML: {other:?}"),
    }
}

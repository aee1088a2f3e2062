use std::{borrow::Cow, fmt, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::text::refused;

/// A secret, or where it is. What stands in the file itself prints as `[redacted]`.
#[derive(Clone)]
pub(crate) enum Secret {
    /// The name of an environment variable.
    Env(String),
    /// The path of a file.
    File(PathBuf),
    Inline(String),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        if text == REDACTED {
            return Err(refused("the secret itself; it was printed as [redacted]"));
        }
        Ok(Secret::Inline(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
        match Reference::deserialize(MapAccessDeserializer::new(map))? {
            Reference {
                env: Some(name),
                file: None,
            } => Ok(Secret::Env(name)),
            Reference {
                env: None,
                file: Some(path),
            } => Ok(Secret::File(path)),
            _ => Err(refused(EXPECTED)),
        }
    }
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Reference {
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reference = match self {
            Self::Inline(_) => return serializer.serialize_str(REDACTED),
            Self::Env(name) => Reference {
                env: Some(name.clone()),
                file: None,
            },
            Self::File(path) => Reference {
                env: None,
                file: Some(path.clone()),
            },
        };
        reference.serialize(serializer)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let reference = |key: &str, description: &str| {
            json_schema!({
                "type": "object",
                "properties": { key: { "description": description, "type": "string" } },
                "required": [key],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "A secret: in an environment variable, in a file, or as it is.",
            "anyOf": [
                reference("env", "The environment variable that holds it."),
                reference("file", "The file that holds it; the end of its line does not count."),
                { "type": "string" },
            ],
        })
    }
}

const REDACTED: &str = "[redacted]";
const EXPECTED: &str =
    "{ env = \"NAME\" }, { file = \"/path\" } or the secret itself, which is a string";

use std::{borrow::Cow, fmt, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Check, read_text};
use crate::config::{file::Path, value::refused};

/// A secret, or its place. A secret in the file itself prints as `[redacted]`.
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

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Reference {
    env: Option<String>,
    file: Option<PathBuf>,
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inline(_) => serializer.serialize_str(REDACTED),
            Self::Env(name) => serializer.collect_map([("env", name)]),
            Self::File(path) => serializer.collect_map([("file", path)]),
        }
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

impl Check<'_> {
    /// Reads a secret from its place.
    pub(super) fn secret(&mut self, path: &Path, secret: &Secret) -> Option<String> {
        match secret {
            Secret::Inline(text) => Some(text.clone()),
            Secret::Env(name) => self.secret_of_variable(&path.key("env"), name),
            Secret::File(file) => {
                let text = self.read(&path.key("file"), file, |files, file| {
                    read_text(files, file, MOST_BYTES)
                });
                text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }

    fn secret_of_variable(&mut self, path: &Path, name: &str) -> Option<String> {
        let is_capital = |c: char| c.is_ascii_uppercase() || c == '_';
        let is_name = name.starts_with(is_capital)
            && name.chars().all(|c| is_capital(c) || c.is_ascii_digit());
        // Another text may be the secret itself.
        if !is_name {
            let expected = "the name of a variable, of capital letters, digits and `_`";
            self.expected(path, expected);
            return None;
        }
        let text = match self.variables.named(name) {
            Ok(Some(setting)) => setting.read(|text| Ok(text.to_owned())),
            Ok(None) => {
                self.problem(path, format!("the variable {name} is not set"));
                return None;
            }
            Err(problem) => Err(problem),
        };
        self.problems.keep(text.map(Some))
    }
}

/// More bytes than any token has.
const MOST_BYTES: usize = 64 * 1024;

use std::{
    borrow::Cow,
    fmt,
    path::{self, PathBuf},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    Check,
    files::{self, read_text},
};
use crate::config::{file::Path, value::refused};

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
    env: Option<String>,
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

impl Check<'_> {
    /// The text of a secret, from wherever it is.
    pub(super) fn secret(&mut self, path: &Path, secret: &Secret) -> Option<String> {
        match secret {
            Secret::Inline(text) => Some(text.clone()),
            Secret::Env(name) => self.secret_of_variable(&path.key("env"), name),
            Secret::File(file) => self.secret_of_file(&path.key("file"), file),
        }
    }

    fn secret_of_variable(&mut self, path: &Path, name: &str) -> Option<String> {
        // Whatever looks otherwise may be the secret itself.
        let is_name = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !is_name {
            self.expected(
                path,
                "the name of a variable, of capital letters, digits and `_`",
            );
            return None;
        }
        let setting = match self.variables.named(name) {
            Ok(Some(setting)) => setting,
            Ok(None) => {
                self.problem(path, format!("the variable {name} is not set"));
                return None;
            }
            Err(problem) => {
                self.problems.add(problem);
                return None;
            }
        };
        match setting.read(|text| Ok(text.to_owned())) {
            Ok(text) => Some(text),
            Err(problem) => {
                self.problems.add(problem);
                None
            }
        }
    }

    fn secret_of_file(&mut self, path: &Path, file: &path::Path) -> Option<String> {
        let name = files::name(file);
        let file = self.origin.resolve(file);
        match read_text(&file, MOST_BYTES, self.files) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                self.problem(path, format!("{name} cannot be read: {error}"));
                None
            }
        }
    }
}

/// Tokens are long, but not that long.
const MOST_BYTES: usize = 64 * 1024;

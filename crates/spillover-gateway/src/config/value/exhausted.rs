use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tower_spillover::select::WhenExhausted;

use super::{Time, text::parsed};
use crate::config::values;

/// `forward`, `reject` or `wait:2s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exhausted(pub(crate) WhenExhausted);

impl<'de> Deserialize<'de> for Exhausted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "\"forward\", \"reject\" or \"wait:<duration>\", such as \"wait:2s\"";
        parsed(deserializer, expected, |text| {
            values::when_exhausted(text.trim()).map(Self)
        })
    }
}

impl Serialize for Exhausted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            WhenExhausted::Reject => serializer.serialize_str("reject"),
            WhenExhausted::Wait(limit) => {
                serializer.serialize_str(&format!("wait:{}", Time(limit)))
            }
            _ => serializer.serialize_str("forward"),
        }
    }
}

impl JsonSchema for Exhausted {
    fn schema_name() -> Cow<'static, str> {
        "WhenExhausted".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`forward`, `reject`, or `wait:` with a duration.",
            "type": "string",
            "pattern": "^(forward|reject|wait:.+)$",
            "examples": ["forward", "reject", "wait:2s"],
        })
    }
}

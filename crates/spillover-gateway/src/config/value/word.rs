use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};
use spillover_core::BackendKind;
use tower_spillover::select::WhenExhausted;

use super::{Format, number::duration_text, parsed, refused};
use crate::{client::Protocol, config::values};

/// `forward`, `reject` or `wait:2s`.
pub(crate) struct Exhausted;

impl Format for Exhausted {
    type Value = WhenExhausted;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WhenExhausted, D::Error> {
        let expected = "\"forward\", \"reject\" or \"wait:<duration>\", such as \"wait:2s\"";
        parsed(deserializer, expected, |text| {
            values::when_exhausted(text.trim())
        })
    }

    fn serialize<S: Serializer>(when: &WhenExhausted, serializer: S) -> Result<S::Ok, S::Error> {
        match when {
            WhenExhausted::Reject => serializer.serialize_str("reject"),
            WhenExhausted::Wait(limit) => {
                serializer.collect_str(&format_args!("wait:{}", duration_text(*limit)))
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

/// The form of OpenAI's API that a backend has. Paths are mapped by it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Kind")]
pub(crate) enum KindWord {
    /// Azure OpenAI: the v1 API is below `/openai/v1`, deployments are below `/openai/deployments`.
    Azure,
    /// OpenAI, or a service with its paths: the v1 API is below `/v1`.
    OpenAi,
    /// Any other service: no path is mapped.
    Other,
}

impl From<KindWord> for BackendKind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Azure => Self::Azure,
            KindWord::OpenAi => Self::OpenAi,
            KindWord::Other => Self::Other,
        }
    }
}

impl From<BackendKind> for KindWord {
    fn from(kind: BackendKind) -> Self {
        match kind {
            BackendKind::Azure => Self::Azure,
            BackendKind::OpenAi => Self::OpenAi,
            _ => Self::Other,
        }
    }
}

/// `auto`, `http1` or `http2`; or `true` for `http2`, as in `http2 = true`.
pub(crate) struct ProtocolWord;

impl Format for ProtocolWord {
    type Value = Protocol;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Protocol, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn serialize<S: Serializer>(protocol: &Protocol, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(protocol.as_str())
    }
}

impl Visitor<'_> for ProtocolWord {
    type Value = Protocol;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Protocol::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Protocol, E> {
        Protocol::parse(text).map_err(refused)
    }

    fn visit_bool<E: Error>(self, is_http2: bool) -> Result<Protocol, E> {
        Ok(if is_http2 {
            Protocol::Http2
        } else {
            Protocol::Auto
        })
    }
}

impl JsonSchema for ProtocolWord {
    fn schema_name() -> Cow<'static, str> {
        "Protocol".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`auto`: over TLS what both sides prefer (ALPN), in clear text HTTP/1.1. `http1`: HTTP/1.1. `http2`: HTTP/2, without TLS from the first byte on.",
            "enum": ["auto", "http1", "http2"],
        })
    }
}

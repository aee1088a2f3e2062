use std::fmt;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};
use spillover_core::BackendKind;
use tower_spillover::select::WhenExhausted;

use super::{Format, number::duration_text, parsed, refused};
use spillover_proxy::upstream::Protocol;

use crate::config::values;

/// Format of the log.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogFormat {
    /// Text on a terminal, JSON anywhere else.
    #[default]
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// `forward`, `reject`, or `wait:` with a duration.
#[derive(JsonSchema)]
#[schemars(with = "String", rename = "WhenExhausted")]
#[schemars(extend("pattern" = "^(forward|reject|wait:.+)$", "examples" = ["forward", "reject", "wait:2s"]))]
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

/// Form of OpenAI's API that a backend has. The gateway maps paths to it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Kind")]
#[value(rename_all = "lower")]
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

/// `auto`: over TLS the version that both sides prefer (ALPN), in clear text HTTP/1.1. `http1`: HTTP/1.1. `http2`: HTTP/2,
/// without TLS from the first byte on.
#[derive(JsonSchema)]
#[schemars(with = "serde_json::Value", rename = "Protocol")]
#[schemars(extend("enum" = ["auto", "http1", "http2"]))]
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

    /// Reads the value of the key's other name: `http2 = true`.
    fn visit_bool<E: Error>(self, is_http2: bool) -> Result<Protocol, E> {
        Ok(if is_http2 {
            Protocol::Http2
        } else {
            Protocol::Auto
        })
    }
}

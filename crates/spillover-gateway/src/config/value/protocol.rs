use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use super::text::refused;
use spillover_proxy::upstream::Protocol;

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ProtocolVisitor)
    }
}

struct ProtocolVisitor;

impl Visitor<'_> for ProtocolVisitor {
    type Value = Protocol;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Protocol::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Protocol, E> {
        Protocol::parse(text).map_err(refused)
    }

    /// The key had the name `http2` and this type.
    fn visit_bool<E: Error>(self, is_http2: bool) -> Result<Protocol, E> {
        Ok(if is_http2 {
            Protocol::Http2
        } else {
            Protocol::Auto
        })
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for Protocol {
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

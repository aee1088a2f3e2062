//! The scalar values of the configuration file. A refusal states the expected value, and never holds the refused one.

mod number;
mod word;

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error, Unexpected, Visitor},
};

pub use self::word::LogFormat;
pub(super) use self::{
    number::{HeadSize, Limit, LongPause, Pause, Size, Timeout, Whole},
    word::{Exhausted, KindWord, ProtocolWord},
};

/// Reads and writes the value of a key: `#[serde(with = "Timeout")] connect: Duration` takes `"5s"` and refuses `"2days"`.
pub(crate) trait Format {
    type Value;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error>;

    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error>;
}

impl<T: DeserializeOwned + Serialize> Format for T {
    type Value = T;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        <T as Deserialize>::deserialize(deserializer)
    }

    fn serialize<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        <T as Serialize>::serialize(value, serializer)
    }
}

/// Reads a string by `parse`, which fails with the expected text.
fn parsed<'de, D, T, F>(deserializer: D, expected: &'static str, parse: F) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    F: FnOnce(&str) -> Result<T, &'static str>,
{
    deserializer.deserialize_str(Parsed {
        expected,
        parse,
        value: PhantomData,
    })
}

struct Parsed<F, T> {
    expected: &'static str,
    parse: F,
    value: PhantomData<T>,
}

impl<T, F: FnOnce(&str) -> Result<T, &'static str>> Visitor<'_> for Parsed<F, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(refused)
    }
}

/// Creates the error for a value of the right type that was not expected.
pub(super) fn refused<E: Error>(expected: &str) -> E {
    E::invalid_value(Unexpected::Other("value"), &expected)
}

use std::{fmt, marker::PhantomData};

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Reads a string by `parse`, which fails with what it expected.
pub(super) fn parsed<'de, D, T, F>(
    deserializer: D,
    expected: &'static str,
    parse: F,
) -> Result<T, D::Error>
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

/// A value of the right type that is none of those that were expected.
pub(in crate::config) fn refused<E: Error>(expected: &'static str) -> E {
    E::invalid_value(Unexpected::Other("value"), &expected)
}

use std::{borrow::Cow, error, fmt};

use serde::de::{Error, Expected, Unexpected};

use super::path::{Path, Segment};
use crate::config::names;

/// What is wrong with the document, and where. It says what was expected, and not what was found.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(super) path: Path,
    pub(super) message: Cow<'static, str>,
}

impl Mistake {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: Path::default(),
            message: message.into(),
        }
    }

    pub(super) fn expected(expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        Self::new(format!("expected {}", in_words(&expected)))
    }

    pub(super) fn one_of(known: &[&str]) -> Self {
        Self::new(format!("expected one of: {}", known.join(", ")))
    }

    pub(super) fn under(self, segment: Segment) -> Self {
        Self {
            path: self.path.under(segment),
            ..self
        }
    }
}

impl Error for Mistake {
    /// Whatever this says, it may hold a value.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new("not as expected")
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        match names::closest(variant, known.iter().copied()) {
            Some(meant) => Self::new(format!(
                "expected one of: {}; did you mean {meant}?",
                known.join(", ")
            )),
            None => Self::one_of(known),
        }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        match names::closest(field, known.iter().copied()) {
            Some(meant) => Self::new(format!("an unknown key; did you mean {meant}?")),
            None => Self::new(format!(
                "an unknown key; expected one of: {}",
                known.join(", ")
            )),
        }
    }

    /// A key that is written twice is an error of TOML already: this is a key and its other name.
    fn duplicate_field(field: &'static str) -> Self {
        Self::new("set twice, once by another name of this key")
            .under(Segment::Key(field.to_owned()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("not set").under(Segment::Key(field.to_owned()))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl error::Error for Mistake {}

/// What serde calls a type, in the words of people.
fn in_words(expected: &str) -> &str {
    match expected {
        "u32" => "a whole number from 0 to 4294967295",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        "path string" => "the path of a file",
        "newtype variant" | "struct variant" => "a table with this key and its value",
        _ if expected.starts_with("struct ") => "a table",
        _ if expected.starts_with("unit") => "a string",
        _ => expected,
    }
}

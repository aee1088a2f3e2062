use std::{error, fmt};

use serde::de::{Error, Expected, Unexpected};

use crate::config::names;

/// A path in the document: `pools[0].backends[1].url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl Path {
    pub(crate) fn key(&self, key: &str) -> Self {
        self.join(Segment::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.join(Segment::Index(index))
    }

    fn join(&self, segment: Segment) -> Self {
        Self([&self.0[..], &[segment]].concat())
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    pub(super) fn is_under(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// Returns the path and the paths of everything around it, from the inside.
    pub(super) fn and_outer(&self) -> impl Iterator<Item = Self> {
        let lengths = (0..=self.0.len()).rev();
        lengths.map(|length| Self(self.0[..length].to_vec()))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    let dot = if position > 0 { "." } else { "" };
                    write!(f, "{dot}{}", if is_harmless(key) { key } else { "?" })?;
                }
            }
        }
        Ok(())
    }
}

/// Returns true if a key may be printed. A secret in the place of a key mostly has digits, is long or mixes cases.
fn is_harmless(key: &str) -> bool {
    let is_word = key
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'-');
    let is_status = key.len() == 3 && key.bytes().all(|b| b.is_ascii_digit());
    (is_word && (1..=40).contains(&key.len())) || is_status || key == "sha256"
}

/// A mistake in the document: the place, and the expected value. The value that was found is no part of it.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) path: Path,
    pub(super) message: String,
}

impl Mistake {
    pub(super) fn new(message: impl Into<String>) -> Self {
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

    /// Adds the key or number of the value that was read.
    pub(super) fn under(mut self, segment: Segment) -> Self {
        self.path.0.insert(0, segment);
        self
    }

    fn of_key(self, key: &str) -> Self {
        self.under(Segment::Key(key.to_owned()))
    }
}

impl Error for Mistake {
    /// Drops the message, which may hold a value.
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
        let mut mistake = Self::one_of(known);
        if let Some(meant) = names::closest(variant, known.iter().copied()) {
            mistake.message += &format!("; did you mean {meant}?");
        }
        mistake
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let hint = match names::closest(field, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("expected one of: {}", known.join(", ")),
        };
        Self::new(format!("an unknown key; {hint}"))
    }

    /// Describes a key that stands beside its other name. A key that is written twice is an error of TOML already.
    fn duplicate_field(field: &'static str) -> Self {
        Self::new("set twice, once by another name of this key").of_key(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("not set").of_key(field)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Mistake {}

/// Translates serde's name of a type.
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

use http::{HeaderMap, header::CONTENT_ENCODING};

use crate::coding::Coding;

/// The reason why the model of a body cannot be read, which matters only where the model decides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// The body is in a coding that is not read, or in several. Has the value of `content-encoding`, cut to 60 characters.
    Coding(Box<str>),
    /// The body is not in the coding that its head names, or is cut off.
    Corrupt(Coding),
    /// The body has more bytes than are read when it is decoded, or far more than it has in its coding.
    TooLarge(Coding),
    /// A form without a boundary that all parsers read alike.
    Boundary,
    /// More than one field `content-type`.
    Types,
}

impl Unreadable {
    pub(super) fn of_coding(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(CONTENT_ENCODING).iter();
        let fields: Vec<_> = fields
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let coding = fields.join(", ");
        let coding: String = coding.chars().take(LONGEST).collect();
        Self::Coding(coding.into())
    }
}

/// Characters of the client's `content-encoding` that an error repeats.
const LONGEST: usize = 60;

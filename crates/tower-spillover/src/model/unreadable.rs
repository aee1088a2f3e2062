use http::{HeaderMap, header::CONTENT_ENCODING};

use crate::coding::Coding;

/// The reason why the model of a body cannot be read. It is reported only if the model is decisive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// The coding of the body is not supported, or the body has several. The value is that of `content-encoding`, cut to
    /// 60 characters.
    Coding(Box<str>),
    /// The body does not have the coding that its head names, or is cut off.
    Corrupt(Coding),
    /// The decoded body exceeds the limit, or is far larger than the body in its coding.
    TooLarge(Coding),
    /// The form has no boundary that all parsers read alike.
    Boundary,
    /// The head has more than one field `content-type`.
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

/// The number of characters of `content-encoding` that the reason repeats.
const LONGEST: usize = 60;

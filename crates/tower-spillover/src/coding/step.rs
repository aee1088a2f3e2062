//! The result of one step of a decoder.

use std::{error, fmt};

/// The progress of a decoder in one step.
pub(super) struct Step {
    /// Bytes of the input that are done with.
    pub(super) read: usize,
    /// Bytes of the output that were filled.
    pub(super) written: usize,
}

/// A body cannot be decoded any further.
#[derive(Debug)]
pub struct DecodeError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Corrupt,
    Bomb,
}

impl DecodeError {
    pub(super) fn corrupt() -> Self {
        Self {
            kind: Kind::Corrupt,
        }
    }

    pub(super) fn bomb() -> Self {
        Self { kind: Kind::Bomb }
    }

    /// Returns whether the body is far larger than its coded form, as no honest one is.
    #[must_use]
    pub fn is_bomb(&self) -> bool {
        matches!(self.kind, Kind::Bomb)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Corrupt => "the body is not in the coding that its head names",
            Kind::Bomb => "the decoded body is far larger than its coded form",
        })
    }
}

impl error::Error for DecodeError {}

/// A body is in a coding that is not read, or in more than one.
#[derive(Debug)]
pub struct UnreadableCoding {
    _priv: (),
}

impl UnreadableCoding {
    pub(super) fn new() -> Self {
        Self { _priv: () }
    }
}

impl fmt::Display for UnreadableCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the content coding is none of gzip, deflate, br and zstd")
    }
}

impl error::Error for UnreadableCoding {}

//! Reads bodies in a content coding (RFC 9110 section 8.4), for a look at what they say.
//!
//! [`Peek`](crate::peek) looks into the bodies of responses with it. The bodies
//! themselves pass on in the coding in which they came.
//!
//! | `content-encoding` | read as |
//! |---|---|
//! | none, `identity` | the body itself |
//! | `gzip`, `x-gzip` | RFC 1952, also in several members |
//! | `deflate` | RFC 1950; without its wrapper, as some servers send it, RFC 1951 |
//! | `br` | RFC 7932, with windows of at most 16 MiB |
//! | `zstd` | RFC 8878, with windows of at most 8 MiB, as RFC 9659 bounds them |
//! | anything else, and several codings | not at all |
//!
//! [`offer_readable`] takes the codings that are not read out of a request's `accept-encoding`.
//!
//! ```
//! use std::{io::Write, ops::ControlFlow};
//!
//! use flate2::{Compression, write::GzEncoder};
//! use http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};
//! use tower_spillover::coding::{Coding, Decoder};
//!
//! let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
//! encoder.write_all(b"data: {\"error\": \"overloaded\"}\n\n")?;
//! let body = encoder.finish()?;
//!
//! let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
//! let coding = Coding::of(&headers)?.expect("there is one");
//! let mut decoder = Decoder::new(coding);
//! let mut text = Vec::new();
//! // In chunks, as they come: each yields all that can be decoded by then.
//! for chunk in body.chunks(7) {
//!     let _ = decoder.decode(chunk, |piece| {
//!         text.extend_from_slice(piece);
//!         ControlFlow::<()>::Continue(())
//!     })?;
//! }
//! assert_eq!(text, b"data: {\"error\": \"overloaded\"}\n\n");
//! assert!(decoder.is_complete());
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod accept;
mod brotli;
mod decoder;
mod gzip;
mod inflate;
mod step;
#[cfg(test)]
pub(crate) mod tests;
mod zstd;

use http::{HeaderMap, header::CONTENT_ENCODING};

pub use self::{
    accept::offer_readable,
    decoder::Decoder,
    step::{DecodeError, UnreadableCoding},
};

/// A content coding that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coding {
    /// `gzip`, also named `x-gzip` (RFC 9110 section 8.4.1.3).
    Gzip,
    /// `deflate`.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// The codings that are read, as a field value: such as for the `accept-encoding` of a 415 (RFC 9110 section 15.5.16).
    pub const READABLE: &str = "gzip, deflate, br, zstd";

    /// Returns the coding of a body, by the head of its message. `None` for a body without a coding.
    ///
    /// # Errors
    ///
    /// [`UnreadableCoding`] when there is another coding than those that are read, or more than one.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, UnreadableCoding> {
        let mut found = None;
        for value in headers.get_all(CONTENT_ENCODING) {
            for name in value.as_bytes().split(|byte| *byte == b',') {
                let name = name.trim_ascii();
                if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                    continue;
                }
                let coding = Self::named(name).ok_or_else(UnreadableCoding::new)?;
                if found.replace(coding).is_some() {
                    return Err(UnreadableCoding::new());
                }
            }
        }
        Ok(found)
    }

    /// Returns the name of the coding, such as `gzip`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Names are of no case (RFC 9110 section 8.4.1).
    fn named(name: &[u8]) -> Option<Self> {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        if is(b"gzip") || is(b"x-gzip") {
            Some(Self::Gzip)
        } else if is(b"deflate") {
            Some(Self::Deflate)
        } else if is(b"br") {
            Some(Self::Brotli)
        } else if is(b"zstd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

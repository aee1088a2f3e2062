use std::ops::Range;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Request,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};

use super::SplicedBody;
use crate::coding::Coding;

/// The name of a model, encoded for JSON bodies and for forms.
#[derive(Clone, Debug)]
pub struct ModelName {
    pub(super) plain: Bytes,
    /// A JSON string with its quotes.
    pub(super) json: Bytes,
}

impl ModelName {
    /// Prepares a name for bodies.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            plain: Bytes::copy_from_slice(name.as_bytes()),
            json: serde_json::Value::from(name).to_string().into(),
        }
    }
}

/// A change of a request body: `text` replaces the bytes of `range`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: Bytes,
    /// The coding of the body, which is decoded for the change.
    pub(super) coding: Option<Coding>,
    /// The length of the decoded body before the change, if it is known.
    pub(super) length: Option<u64>,
}

impl Edit {
    /// Applies the change to the head of a request at once, and to its body while the body passes.
    ///
    /// `content-length` becomes that of the new body. `content-encoding` is removed if the body is decoded. Digests of
    /// the body are removed.
    pub fn apply<B>(self, request: Request<B>) -> Request<SplicedBody<B>> {
        let (mut head, body) = request.into_parts();
        self.change_head(&mut head.headers);
        Request::from_parts(head, SplicedBody::new(body, self))
    }

    fn change_head(&self, headers: &mut HeaderMap) {
        let announced = announced_length(headers);
        let length = match self.coding {
            Some(_) => {
                headers.remove(CONTENT_ENCODING);
                announced.and(self.length)
            }
            None => announced,
        };
        let grown = self.text.len() as i64 - self.range.len() as i64;
        match length.and_then(|length| length.checked_add_signed(grown)) {
            Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
            // The length is unknown, for example because it is not a number. The framing of the body marks its end.
            None => headers.remove(CONTENT_LENGTH),
        };
        for digest in &DIGESTS {
            headers.remove(digest);
        }
    }
}

pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Fields with a digest of the content (RFC 9530, RFC 3230, RFC 1864).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

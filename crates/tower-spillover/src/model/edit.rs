use std::ops::Range;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Request,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};

use super::SplicedBody;
use crate::coding::Coding;

/// The name of a model, in the forms in which bodies have it.
#[derive(Clone, Debug)]
pub struct ModelName {
    pub(super) plain: Bytes,
    /// With its quotes.
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

/// A change of a request body: the bytes at `place` become `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub(super) place: Range<usize>,
    pub(super) text: Bytes,
    /// The coding from which the body has to be decoded for it.
    pub(super) coding: Option<Coding>,
    /// Bytes of the decoded body before the change, where they were counted.
    pub(super) length: Option<u64>,
}

impl Edit {
    /// Changes the body of a request while it passes, and its head at once: `content-length` becomes that of the new body,
    /// `content-encoding` is removed where the body has to be decoded, and digests of the body are removed.
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
        let grown = self.text.len() as i64 - self.place.len() as i64;
        match length.and_then(|length| length.checked_add_signed(grown)) {
            Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
            // For example a length that is no number: the framing of the body says where it ends.
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

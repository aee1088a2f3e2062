use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use memchr::memmem;
use pin_project_lite::pin_project;
use spillover_core::Selected;

use super::KnownIds;

pin_project! {
    /// A response body that passes unchanged while the id of the created object is read from its beginning.
    #[derive(Debug)]
    pub struct ObserveIdBody<B> {
        #[pin]
        inner: B,
        observer: Option<Box<IdObserver>>,
    }
}

/// Reads the first id of a body, and records its backend.
#[derive(Debug)]
pub(super) struct IdObserver {
    known_ids: KnownIds,
    selected: Selected,
    prefix: Vec<u8>,
}

impl IdObserver {
    pub(super) fn new(known_ids: KnownIds, selected: Selected) -> Box<Self> {
        Box::new(Self {
            known_ids,
            selected,
            prefix: Vec::new(),
        })
    }

    /// Reads the next bytes. Returns true when no further bytes are needed.
    fn read(&mut self, data: &[u8]) -> bool {
        let room = PREFIX_LIMIT - self.prefix.len();
        self.prefix.extend_from_slice(&data[..room.min(data.len())]);
        match first_id(&self.prefix) {
            Some(id) => {
                self.known_ids.record(id, self.selected.backend());
                true
            }
            None => self.prefix.len() == PREFIX_LIMIT,
        }
    }
}

impl<B> ObserveIdBody<B> {
    pub(super) fn new(inner: B, observer: Option<Box<IdObserver>>) -> Self {
        Self { inner, observer }
    }
}

impl<B: Body<Data = Bytes>> Body for ObserveIdBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let (Some(observer), Some(Ok(frame))) = (this.observer.as_mut(), &frame)
            && frame.data_ref().is_some_and(|data| observer.read(data))
        {
            *this.observer = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: From<Bytes>> From<Bytes> for ObserveIdBody<B> {
    fn from(data: Bytes) -> Self {
        Self::new(data.into(), None)
    }
}

impl<B: Default> Default for ObserveIdBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

/// Returns the first id in the beginning of a JSON object or event stream. An object has its own id before those of its parts.
/// Google's objects have a resource name in its place: `"name": "cachedContents/abc"`.
fn first_id(prefix: &[u8]) -> Option<&str> {
    let mut ids = memmem::find_iter(prefix, KEY);
    let id = ids.find_map(|at| string_after(&prefix[at + KEY.len()..]));
    id.or_else(|| {
        let mut names = memmem::find_iter(prefix, NAME);
        let names = names.find_map(|at| string_after(&prefix[at + NAME.len()..]));
        names.filter(|name| name.contains('/'))
    })
}

/// Returns the string value after a key.
fn string_after(rest: &[u8]) -> Option<&str> {
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest)?;
    let id = str::from_utf8(&rest[..end]).ok()?;
    (!id.is_empty()).then_some(id)
}

/// The key with its quotes. Inside a string they would be escaped.
const KEY: &[u8] = br#""id""#;
const NAME: &[u8] = br#""name""#;

/// Bytes that are read at most. The id is one of the first fields.
const PREFIX_LIMIT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_id_is_that_of_the_object() {
        let cases: [(&str, Option<&str>); 11] = [
            (
                r#"{"file":{"name":"files/abc","displayName":"x"}}"#,
                Some("files/abc"),
            ),
            (r#"{"name":"Tutor"}"#, None),
            (
                r#"{"id":"resp_1","output":[{"id":"msg_1"}]}"#,
                Some("resp_1"),
            ),
            (r#"{ "object": "file", "id" : "file-1" }"#, Some("file-1")),
            (
                "event: response.created\ndata: {\"response\":{\"id\":\"resp_2\"}}\n",
                Some("resp_2"),
            ),
            (r#"{"id":"resp"#, None),
            (r#"{"id":7}"#, None),
            (r#"{"object":"id","id":"x"}"#, Some("x")),
            (r#"{"said":"the \"id\": \"no\"","id":"yes"}"#, Some("yes")),
            (r#"{"id":""}"#, None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(first_id(text.as_bytes()), expected, "{text}");
        }
    }
}

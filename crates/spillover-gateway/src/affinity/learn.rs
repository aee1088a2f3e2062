use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use memchr::memmem;
use spillover_core::Selected;

use super::ids::KnownIds;

/// A response body of which the id is read as it passes.
#[derive(Debug)]
pub(crate) struct LearnBody<B> {
    inner: B,
    lesson: Option<Box<Lesson>>,
}

/// What is read, and by whom it was made.
#[derive(Debug)]
pub(super) struct Lesson {
    ids: KnownIds,
    selected: Selected,
    beginning: Vec<u8>,
}

impl Lesson {
    pub(super) fn new(ids: KnownIds, selected: Selected) -> Box<Self> {
        Box::new(Self {
            ids,
            selected,
            beginning: Vec::new(),
        })
    }

    /// Whether there is nothing more to learn.
    fn read(&mut self, data: &[u8]) -> bool {
        let room = LIMIT - self.beginning.len();
        self.beginning
            .extend_from_slice(&data[..room.min(data.len())]);
        match first_id(&self.beginning) {
            Some(id) => {
                self.ids.note(id, &self.selected);
                true
            }
            None => self.beginning.len() == LIMIT,
        }
    }
}

impl<B> LearnBody<B> {
    pub(super) fn new(inner: B, lesson: Option<Box<Lesson>>) -> Self {
        Self { inner, lesson }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for LearnBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if let (Some(lesson), Some(Ok(frame))) = (&mut this.lesson, &frame)
            && frame.data_ref().is_some_and(|data| lesson.read(data))
        {
            this.lesson = None;
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

impl<B: From<Bytes>> From<Bytes> for LearnBody<B> {
    fn from(data: Bytes) -> Self {
        Self::new(data.into(), None)
    }
}

/// The first id in the beginning of a JSON object or of a stream of events. What is made comes with its own id before those of
/// its parts.
fn first_id(beginning: &[u8]) -> Option<&str> {
    let mut keys = memmem::find_iter(beginning, KEY);
    keys.find_map(|at| id_after(&beginning[at + KEY.len()..]))
}

/// The string that a key has; the rest begins after the key.
fn id_after(rest: &[u8]) -> Option<&str> {
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest)?;
    let id = str::from_utf8(&rest[..end]).ok()?;
    (!id.is_empty()).then_some(id)
}

/// With its quotes: within a string they would be escaped.
const KEY: &[u8] = br#""id""#;

/// An id comes early.
const LIMIT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_id_is_that_of_the_whole() {
        let cases: [(&str, Option<&str>); 9] = [
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

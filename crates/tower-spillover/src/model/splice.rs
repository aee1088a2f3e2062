use std::{
    collections::VecDeque,
    ops::{ControlFlow, Range},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

use super::Edit;
use crate::coding::Decoder;

/// A request body in which a range of bytes may be replaced. A body in a coding is decoded for that.
#[derive(Debug)]
pub struct SplicedBody<B> {
    inner: B,
    /// Boxed, because few bodies are changed, and a request is moved with its body many times.
    splice: Option<Box<Splice>>,
}

#[derive(Debug)]
struct Splice {
    /// The bytes still to be replaced, counted from the next byte of the body.
    range: Range<usize>,
    /// The replacement, until it is sent.
    text: Option<Bytes>,
    pending: VecDeque<Bytes>,
    coded: Option<Coded>,
}

/// The part of a body that is still to be decoded.
#[derive(Debug)]
struct Coded {
    decoder: Decoder,
    /// The rest of a chunk.
    input: Bytes,
}

impl<B> SplicedBody<B> {
    /// Wraps a body that passes unchanged.
    pub fn unchanged(inner: B) -> Self {
        Self {
            inner,
            splice: None,
        }
    }

    /// Wraps a body to which this change is applied.
    pub(super) fn new(inner: B, edit: Edit) -> Self {
        let coded = edit.coding.map(|coding| Coded {
            decoder: Decoder::new(coding),
            input: Bytes::new(),
        });
        Self {
            inner,
            splice: Some(Box::new(Splice {
                range: edit.range,
                text: Some(edit.text),
                pending: VecDeque::new(),
                coded,
            })),
        }
    }
}

impl Coded {
    /// Decodes a piece of the received chunk. `None` if nothing of the chunk is left.
    fn decode(&mut self) -> Option<Result<Bytes, BoxError>> {
        if self.input.is_empty() {
            return None;
        }
        let input = self.input.split_to(self.input.len().min(PIECE));
        let mut decoded = Vec::new();
        let result = self.decoder.decode(&input, |piece| {
            decoded.extend_from_slice(piece);
            ControlFlow::<()>::Continue(())
        });
        Some(result.map(|_| decoded.into()).map_err(Into::into))
    }
}

impl Splice {
    /// Removes the replaced bytes from a chunk, and inserts the replacement.
    fn splice(&mut self, mut data: Bytes) {
        let before = data.split_to(self.range.start.min(data.len()));
        self.range.start -= before.len();
        self.range.end -= before.len();
        self.push_pending(before);
        if self.range.start == 0
            && !data.is_empty()
            && let Some(text) = self.text.take()
        {
            self.push_pending(text);
        }
        let replaced = data.split_to(self.range.end.min(data.len()));
        self.range.end -= replaced.len();
        self.range.start = self.range.start.min(self.range.end);
        self.push_pending(data);
    }

    fn push_pending(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.pending.push_back(data);
        }
    }

    /// Returns true if bytes of received chunks are still to be sent.
    fn has_pending(&self) -> bool {
        let is_coded = |coded: &Coded| !coded.input.is_empty();
        !self.pending.is_empty() || self.coded.as_ref().is_some_and(is_coded)
    }

    /// Returns an error if the body ended before the end of its coding.
    fn truncation_error(&self) -> Option<BoxError> {
        let coded = self.coded.as_ref()?;
        let is_whole = coded.decoder.is_complete();
        (!is_whole).then(|| "the body was cut off".into())
    }

    fn is_complete(&self) -> bool {
        let is_sent = self.text.is_none() && self.pending.is_empty();
        self.range.end == 0 && is_sent && self.coded.is_none()
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for SplicedBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        while let Some(splice) = &mut this.splice {
            if let Some(data) = splice.pending.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if splice.is_complete() {
                this.splice = None;
                break;
            }
            if let Some(decoded) = splice.coded.as_mut().and_then(|coded| coded.decode()) {
                splice.splice(decoded?);
                continue;
            }
            let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx)).transpose();
            let Some(frame) = frame.map_err(Into::into)? else {
                return Poll::Ready(splice.truncation_error().map(Err));
            };
            match (frame.into_data(), &mut splice.coded) {
                (Ok(data), Some(coded)) => coded.input = data,
                (Ok(data), None) => splice.splice(data),
                (Err(trailers), _) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream() && !self.splice.as_deref().is_some_and(Splice::has_pending)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.size_hint();
        let Some(splice) = &self.splice else {
            return inner;
        };
        if splice.coded.is_some() {
            return SizeHint::new();
        }
        let text = splice.text.as_ref().map_or(0, Bytes::len);
        let pending = splice.pending.iter().map(Bytes::len).sum::<usize>();
        let (more, less) = ((text + pending) as u64, splice.range.len() as u64);
        let changed = |length: u64| length.saturating_add(more).saturating_sub(less);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(changed(upper).max(changed(inner.lower())));
        }
        hint.set_lower(changed(inner.lower()));
        hint
    }
}

/// The number of bytes decoded at a time. Decoded text has 3 to 20 times as many, which are held until they are sent.
const PIECE: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use crate::coding::Coding;
    use futures_util::stream;
    use http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};
    use http_body_util::{BodyExt, Full, StreamBody};
    use spillover_testing::coding::{CODINGS, encoded};

    use super::*;

    fn edit(range: Range<usize>, text: impl Into<Bytes>) -> Edit {
        Edit {
            range,
            text: text.into(),
            coding: None,
            length: None,
        }
    }

    async fn text<B>(body: SplicedBody<B>) -> String
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        let body = body.collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn range_is_replaced_for_chunks_of_any_size() {
        let whole = r#"{"model":"gpt-4o","n":1}"#;
        let range = 9..17;
        for new in [r#""x""#, r#""a-longer-model""#] {
            let expected = whole.replace(r#""gpt-4o""#, new);
            for size in 1..=whole.len() {
                let body = chunks(whole.as_bytes(), size);
                let body = SplicedBody::new(body, edit(range.clone(), new));
                assert_eq!(text(body).await, expected, "{size}");
            }
            let mut body = SplicedBody::new(Full::from(whole), edit(range.clone(), new));
            assert_eq!(body.size_hint().exact(), Some(expected.len() as u64));
            while body.frame().await.is_some() {
                assert!(body.size_hint().exact().is_some());
            }
            assert!(body.is_end_stream());
        }
    }

    #[tokio::test]
    async fn body_in_a_coding_is_decoded_for_chunks_of_any_size() {
        let whole = format!(r#"{{"model":"gpt-4o","x":"{}"}}"#, "xyz ".repeat(9000));
        let expected = whole.replacen(r#""gpt-4o""#, "7", 1);
        for coding in CODINGS {
            let coded = encoded(coding, &whole);
            let edit = Edit {
                coding: Some(coding_of(coding)),
                ..edit(9..17, "7")
            };
            for size in (1..20).chain([coded.len()]) {
                let body = chunks(&coded, size);
                let body = SplicedBody::new(body, edit.clone());
                assert_eq!(text(body).await, expected, "{coding} {size}");
            }
            let mut body = SplicedBody::new(Full::from(coded.clone()), edit.clone());
            while let Some(frame) = body.frame().await {
                assert!(frame.unwrap().data_ref().unwrap().len() <= 1 << 20);
            }
            assert!(body.is_end_stream());

            let cut_off = chunks(&coded[..coded.len() - 1], 7);
            assert!(SplicedBody::new(cut_off, edit).collect().await.is_err());
        }
    }

    fn coding_of(coding: &str) -> Coding {
        let value = HeaderValue::from_str(coding).unwrap();
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, value)]);
        Coding::of(&headers).unwrap().unwrap()
    }

    fn chunks(body: &[u8], size: usize) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let chunks = body.chunks(size);
        let frames = chunks.map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))));
        let frames: Vec<Result<_, Infallible>> = frames.collect();
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn body_without_an_edit_passes_unchanged() {
        let body = SplicedBody::unchanged(Full::<Bytes>::from("abc"));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(text(body).await, "abc");
    }

    #[tokio::test]
    async fn body_that_ends_before_the_range_is_unchanged() {
        let body = SplicedBody::new(Full::<Bytes>::from("ab"), edit(4..6, "x"));
        assert_eq!(text(body).await, "ab");
    }
}

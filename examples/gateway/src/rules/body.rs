use std::{
    collections::VecDeque,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A request body of which one part may be replaced.
#[derive(Debug)]
pub(crate) struct SplicedBody<B> {
    inner: B,
    splice: Option<Splice>,
}

#[derive(Debug)]
struct Splice {
    /// What is still to be replaced, counted from what comes next.
    place: Range<usize>,
    /// In its place, until it is sent.
    text: Option<Bytes>,
    pending: VecDeque<Bytes>,
}

impl<B> SplicedBody<B> {
    pub(super) fn unchanged(inner: B) -> Self {
        Self {
            inner,
            splice: None,
        }
    }

    /// With `text` in the place of these bytes.
    pub(super) fn new(inner: B, place: Range<usize>, text: Bytes) -> Self {
        Self {
            inner,
            splice: Some(Splice {
                place,
                text: Some(text),
                pending: VecDeque::new(),
            }),
        }
    }
}

impl Splice {
    /// Cuts what came, and puts the text in.
    fn cut(&mut self, mut data: Bytes) {
        let before = data.split_to(self.place.start.min(data.len()));
        self.place.start -= before.len();
        self.place.end -= before.len();
        self.keep(before);
        if self.place.start == 0
            && !data.is_empty()
            && let Some(text) = self.text.take()
        {
            self.keep(text);
        }
        let replaced = data.split_to(self.place.end.min(data.len()));
        self.place.end -= replaced.len();
        self.place.start = self.place.start.min(self.place.end);
        self.keep(data);
    }

    fn keep(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.pending.push_back(data);
        }
    }

    fn is_over(&self) -> bool {
        self.place.end == 0 && self.text.is_none() && self.pending.is_empty()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for SplicedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        while let Some(splice) = &mut this.splice {
            if let Some(data) = splice.pending.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if splice.is_over() {
                this.splice = None;
                break;
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => splice.cut(data),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        Pin::new(&mut this.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let is_pending = |splice: &Splice| !splice.pending.is_empty();
        self.inner.is_end_stream() && !self.splice.as_ref().is_some_and(is_pending)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.size_hint();
        let Some(splice) = &self.splice else {
            return inner;
        };
        let text = splice.text.as_ref().map_or(0, Bytes::len);
        let pending = splice.pending.iter().map(Bytes::len).sum::<usize>();
        let (more, less) = ((text + pending) as u64, splice.place.len() as u64);
        let changed = |length: u64| length.saturating_add(more).saturating_sub(less);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(changed(upper).max(changed(inner.lower())));
        }
        hint.set_lower(changed(inner.lower()));
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    async fn text<B>(body: SplicedBody<B>) -> String
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        let Ok(body) = body.collect().await;
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_part_is_replaced_wherever_the_chunks_end() {
        let whole = r#"{"model":"gpt-4o","n":1}"#;
        let place = 9..17;
        for new in [r#""x""#, r#""a-longer-model""#] {
            let expected = whole.replace(r#""gpt-4o""#, new);
            for size in 1..=whole.len() {
                let chunks = whole.as_bytes().chunks(size);
                let frames = chunks.map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))));
                let frames: Vec<Result<_, Infallible>> = frames.collect();
                let body = StreamBody::new(stream::iter(frames));
                let body = SplicedBody::new(body, place.clone(), new.into());
                assert_eq!(text(body).await, expected, "{size}");
            }
            let mut body = SplicedBody::new(Full::from(whole), place.clone(), new.into());
            assert_eq!(body.size_hint().exact(), Some(expected.len() as u64));
            while body.frame().await.is_some() {
                assert!(body.size_hint().exact().is_some());
            }
            assert!(body.is_end_stream());
        }
    }

    #[tokio::test]
    async fn others_pass_as_they_are() {
        let body = SplicedBody::unchanged(Full::<Bytes>::from("abc"));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(text(body).await, "abc");
    }

    #[tokio::test]
    async fn a_body_that_ends_before_the_place_stays_short() {
        let body = SplicedBody::new(Full::<Bytes>::from("ab"), 4..6, "x".into());
        assert_eq!(text(body).await, "ab");
    }
}

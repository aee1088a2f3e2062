use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{budget::Taken, scan::BodyScan};

/// A request body whose beginning may have been read: the chunks that were read come first, then the rest.
#[derive(Debug)]
pub struct ReadBody<B> {
    /// Apart from the others: most bodies have one chunk.
    first: Option<Bytes>,
    others: VecDeque<Bytes>,
    /// Of what was read.
    length: usize,
    /// For the others: a body in one chunk takes nothing of the budget.
    taken: Taken,
    /// `None` once it came to its end.
    rest: Option<B>,
}

impl<B> ReadBody<B> {
    pub(super) fn unread(body: B) -> Self {
        Self {
            first: None,
            others: VecDeque::new(),
            length: 0,
            taken: Taken::default(),
            rest: Some(body),
        }
    }

    fn push_read(&mut self, data: Bytes) {
        self.length += data.len();
        match self.first {
            None => self.first = Some(data),
            Some(_) => self.others.push_back(data),
        }
    }

    fn pop_read(&mut self) -> Option<Bytes> {
        let data = match self.first.take() {
            Some(first) => first,
            None => {
                let data = self.others.pop_front()?;
                self.taken.give_back(cost(&data));
                data
            }
        };
        self.length -= data.len();
        Some(data)
    }
}

impl<B: Body<Data = Bytes> + Unpin> ReadBody<B> {
    /// Reads as far as what is searched for, and not beyond the limit. Returns false if there was no room for that.
    pub(super) fn poll_scan(
        &mut self,
        scan: &mut BodyScan,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, B::Error>> {
        while let Some(rest) = &mut self.rest {
            let Some(frame) = ready!(Pin::new(&mut *rest).poll_frame(cx)).transpose()? else {
                self.rest = None;
                break;
            };
            if rest.is_end_stream() {
                self.rest = None;
            }
            // Trailers say nothing about the model.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let is_done = scan.read(&data);
            let has_room = scan.has_room()
                && (self.first.is_none() || self.taken.take(scan.budget(), cost(&data)));
            self.push_read(data);
            if !has_room {
                scan.give_up();
                return Poll::Ready(Ok(false));
            }
            if is_done {
                return Poll::Ready(Ok(true));
            }
            if self.length.max(self.taken.bytes()) as u64 > scan.limit() {
                scan.give_up();
                return Poll::Ready(Ok(true));
            }
        }
        scan.finish();
        Poll::Ready(Ok(true))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for ReadBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if let Some(data) = this.pop_read() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut this.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none()
            && self.others.is_empty()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.length as u64;
        let Some(rest) = self.rest.as_ref().map(Body::size_hint) else {
            return SizeHint::with_exact(read);
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(read)) {
            hint.set_upper(upper);
        }
        hint
    }
}

/// Returns the memory that a chunk takes, with its handle. Without the handle, many small chunks would take more than is
/// counted.
fn cost(chunk: &Bytes) -> usize {
    chunk.len() + size_of::<Bytes>()
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn};

    use crate::Scope;
    use futures_util::stream;
    use http::{Request, header::CONTENT_TYPE};
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;
    use crate::model::{Fields, Uses, budget::Budget, fields, scan::BodyFormat};

    type Read = (Option<Scope>, Bytes);

    fn begin(fields: &Fields) -> BodyScan {
        let request = Request::post("/").header(CONTENT_TYPE, "application/json");
        let request = request.body(()).unwrap();
        let format = BodyFormat::of_request(&request, 0).unwrap().unwrap();
        BodyScan::new(format, fields, false)
    }

    /// Returns the fields for requests that are routed by their model.
    fn routed() -> Fields {
        let uses = Uses {
            is_routed: true,
            ..Uses::default()
        };
        Fields::new([], uses)
    }

    async fn read<B>(body: B) -> (Read, SizeHint)
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        read_by(Fields::default(), body).await
    }

    async fn read_by<B>(fields: Fields, body: B) -> (Read, SizeHint)
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        let mut body = ReadBody::unread(body);
        let mut scan = begin(&fields);
        let Ok(_) = poll_fn(|cx| body.poll_scan(&mut scan, cx)).await;
        let scope = scan.model().map(Scope::named);
        let hint = body.size_hint();
        let Ok(bytes) = body.collect().await;
        ((scope, bytes.to_bytes()), hint)
    }

    fn chunks(chunks: Vec<Bytes>) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk)));
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn model_is_the_scope_and_the_body_stays_as_it_is() {
        let text = r#" {"messages": [{"model": "inner"}], "model": "gpt-4o", "n": 1}"#;
        let ((scope, body), hint) = read(Full::from(text)).await;
        assert_eq!(scope, Some(Scope::named("gpt-4o")));
        assert_eq!(body, text);
        assert_eq!(hint.exact(), Some(text.len() as u64));

        for size in 1..text.len() {
            let pieces = text.as_bytes().chunks(size).map(Bytes::copy_from_slice);
            let ((scope, body), _) = read(chunks(pieces.collect())).await;
            assert_eq!(scope, Some(Scope::named("gpt-4o")));
            assert_eq!(body, text);
        }
    }

    #[tokio::test]
    async fn request_without_a_model_has_no_scope() {
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"model": 4}"#,
            r#"{"model": null}"#,
            "\u{0}",
        ] {
            let ((scope, body), _) = read(Full::from(text)).await;
            assert_eq!(scope, None, "{text}");
            assert_eq!(body, text);
        }
    }

    #[tokio::test]
    async fn large_body_passes_through() {
        let half = fields::limit(false) as usize / 2;
        let chunk = Bytes::from(vec![b' '; half]);
        let ((scope, body), hint) = read(chunks(vec![chunk; 5])).await;
        assert_eq!(scope, None);
        assert_eq!(body.len(), half * 5);
        assert_eq!(hint.exact(), None);
    }

    #[tokio::test]
    async fn so_does_one_of_very_many_chunks() {
        let length = fields::limit(false) as usize / 8;
        let ((scope, body), hint) = read(chunks(vec![Bytes::from_static(b" "); length])).await;
        assert_eq!((scope, body.len()), (None, length));
        // What is kept of a chunk takes more than the byte that it has.
        assert_eq!(hint.exact(), None);
    }

    #[tokio::test]
    async fn saved_bytes_of_all_bodies_are_limited() {
        let fields = routed().with_budget(Budget::new(300));
        let whole = async || {
            let parts = [&b"{"[..], &[b' '; 200], b"}"].map(Bytes::from_static);
            let mut body = ReadBody::unread(chunks(parts.into()));
            let mut scan = begin(&fields);
            let Ok(has_room) = poll_fn(|cx| body.poll_scan(&mut scan, cx)).await;
            (has_room, body)
        };
        let (has_room, first) = whole().await;
        assert!(has_room);
        assert!(!whole().await.0);
        // It goes on, and is no longer kept here.
        let Ok(bytes) = first.collect().await;
        assert_eq!(bytes.to_bytes().len(), 202);
        for _ in 0..3 {
            let (has_room, given_up) = whole().await;
            assert!(has_room);
            drop(given_up);
        }
    }

    #[tokio::test]
    async fn large_body_has_no_model_when_the_model_decides() {
        let fields = routed();
        let part = Bytes::from(vec![b'x'; 1 << 20]);
        let parts = fields::limit(true) as usize / part.len() + 1;
        let mut all = vec![Bytes::from_static(br#"{"model":"a","x":""#)];
        all.resize(1 + parts, part);
        all.push(Bytes::from_static(br#"","model":"b"}"#));
        let ((scope, _), _) = read_by(fields, chunks(all)).await;
        assert_eq!(scope, None);
    }
}

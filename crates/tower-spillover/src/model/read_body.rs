use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{budget::Reservation, scan::BodyScan};

/// A request body whose beginning may have been read. The chunks that were read come first, then the rest.
#[derive(Debug)]
pub struct ReadBody<B> {
    /// The first chunk that was read. Most bodies have only one, so that no list is allocated.
    first: Option<Bytes>,
    others: VecDeque<Bytes>,
    /// The number of bytes in the chunks that were read.
    length: usize,
    /// The memory of the other chunks. A body in one chunk reserves nothing.
    reservation: Reservation,
    /// `None` after the end of the body.
    rest: Option<B>,
}

impl<B> ReadBody<B> {
    pub(super) fn unread(body: B) -> Self {
        Self {
            first: None,
            others: VecDeque::new(),
            length: 0,
            reservation: Reservation::default(),
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
                self.reservation.release(cost(&data));
                data
            }
        };
        self.length -= data.len();
        Some(data)
    }
}

impl<B: Body<Data = Bytes> + Unpin> ReadBody<B> {
    /// Reads until the scan is complete or the limit is reached. Returns false if the budget is exhausted.
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
            // Trailers have no model.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let is_done = scan.read(&data);
            let has_room = scan.has_room()
                && (self.first.is_none() || self.reservation.reserve(scan.budget(), cost(&data)));
            self.push_read(data);
            if !has_room {
                scan.give_up();
                return Poll::Ready(Ok(false));
            }
            if is_done {
                return Poll::Ready(Ok(true));
            }
            if self.length.max(self.reservation.bytes()) as u64 > scan.limit() {
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

/// Returns the memory of a chunk and its handle. Without the handle, the memory of many small chunks would be
/// underestimated.
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

    fn json_scan(fields: &Fields) -> BodyScan {
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
        let mut scan = json_scan(&fields);
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
    async fn model_is_read_and_the_body_is_unchanged() {
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
    async fn body_above_the_limit_has_no_model_and_passes_unchanged() {
        let half = fields::limit(false) as usize / 2;
        let chunk = Bytes::from(vec![b' '; half]);
        let ((scope, body), hint) = read(chunks(vec![chunk; 5])).await;
        assert_eq!(scope, None);
        assert_eq!(body.len(), half * 5);
        assert_eq!(hint.exact(), None);
    }

    #[tokio::test]
    async fn body_of_many_tiny_chunks_is_limited_by_its_memory() {
        let length = fields::limit(false) as usize / 8;
        let ((scope, body), hint) = read(chunks(vec![Bytes::from_static(b" "); length])).await;
        assert_eq!((scope, body.len()), (None, length));
        // The handle of a chunk takes more memory than its single byte.
        assert_eq!(hint.exact(), None);
    }

    #[tokio::test]
    async fn buffered_bytes_of_all_bodies_are_limited() {
        let fields = routed().with_budget(Budget::new(300));
        let read_whole_body = async || {
            let parts = [&b"{"[..], &[b' '; 200], b"}"].map(Bytes::from_static);
            let mut body = ReadBody::unread(chunks(parts.into()));
            let mut scan = json_scan(&fields);
            let Ok(has_room) = poll_fn(|cx| body.poll_scan(&mut scan, cx)).await;
            (has_room, body)
        };
        let (has_room, first) = read_whole_body().await;
        assert!(has_room);
        assert!(!read_whole_body().await.0);
        // A body that is passed on releases its memory.
        let Ok(bytes) = first.collect().await;
        assert_eq!(bytes.to_bytes().len(), 202);
        for _ in 0..3 {
            let (has_room, dropped) = read_whole_body().await;
            assert!(has_room);
            drop(dropped);
        }
    }

    #[tokio::test]
    async fn decisive_model_is_not_read_from_a_body_above_the_limit() {
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
